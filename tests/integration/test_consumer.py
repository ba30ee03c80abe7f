import asyncio
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import servers
import trials
from aiokafka import AIOKafkaProducer
from programs import Start
from sqlalchemy.exc import OperationalError
from topics_kit import SERVICES, as_record, fill, published, relayed, running, stored, until

from shared.consumer import KafkaFollower
from shared.projections.generation import Generation
from shared.projections.progress import Mark
from shared.sqlite_store import SqliteStore
from shared.topics import PARTITIONS, create_topics, partition, topic

pytestmark = pytest.mark.kafka
EVENTS = 1_500
NOTHING = Mark("", 0)


@pytest.fixture
def generation(tmp_path: Path) -> Iterator[Generation]:
    generation = trials.opened(tmp_path)
    yield generation
    generation.close()


Follow = Callable[..., KafkaFollower]


@pytest.fixture
def follow(kafka: str, store: SqliteStore, generation: Generation, prefix: str) -> Follow:
    def make(instance: str = "one", **changes: Any) -> KafkaFollower:
        named = {"group": f"{prefix}trials", "instance": instance, "prefix": prefix} | changes
        return KafkaFollower(generation, store.id, kafka, **named)

    return make


async def equal(generation: Generation, store: SqliteStore, folder: Path) -> None:
    """Wait until the tables are what following the store gives; they never become so when an event is lost or twice."""
    expected = await trials.fed_from(store, folder)
    try:
        await until(lambda: trials.tables(generation) == expected.tables)
    except TimeoutError:
        assert trials.tables(generation) == expected.tables
    assert not generation.parked()


async def test_a_generation_fed_by_kafka_equals_one_fed_by_the_store(
    kafka: str, store: SqliteStore, generation: Generation, prefix: str, follow: Follow, tmp_path: Path
):
    await fill(store, range(EVENTS))
    await relayed(store, kafka, prefix, *SERVICES)
    moves: list[None] = []
    async with running(follow(moved=lambda: moves.append(None))):
        await equal(generation, store, tmp_path)
        await fill(store, range(EVENTS, EVENTS + 40))
        await relayed(store, kafka, prefix, *SERVICES)
        await equal(generation, store, tmp_path)
    assert moves


async def test_a_follower_started_before_there_are_topics_makes_them_and_waits(
    kafka: str, store: SqliteStore, generation: Generation, prefix: str, follow: Follow, tmp_path: Path
):
    async with running(follow()):
        await fill(store, range(200))
        await relayed(store, kafka, prefix, *SERVICES)
        await equal(generation, store, tmp_path)


async def test_types_that_nobody_reads_still_move_the_watermark(
    kafka: str, store: SqliteStore, generation: Generation, prefix: str, follow: Follow
):
    await fill(store, [7 * number for number in range(1, 40) if number % 10])
    await relayed(store, kafka, prefix, "trials")
    ends = dict.fromkeys(range(12), 0)
    positions = dict(ends)
    for record in await published(kafka, topic("trials", prefix)):
        ends[record.partition] = record.offset + 1
        positions[record.partition] = int(dict(record.headers)["position"])
    filled = {(topic("trials", prefix), number): end for number, end in ends.items() if end}
    async with running(follow()):
        # a transaction ends with a marker, which takes an offset and is no record
        await until(lambda: all(generation.marks().get(p, NOTHING).next_offset > end for p, end in filled.items()))
    for place in filled:
        assert generation.marks()[place].position == positions[place[1]]


async def test_records_delivered_again_are_dropped(
    kafka: str, store: SqliteStore, generation: Generation, prefix: str, follow: Follow, tmp_path: Path
):
    await fill(store, range(EVENTS))
    await relayed(store, kafka, prefix, *SERVICES)
    again = (await stored(store, "trials"))[-400:]  # what a relay that lost its checkpoint would send twice
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for event in again:
            record = as_record(event, store.id)
            await producer.send_and_wait(
                topic("trials", prefix),
                record.value,
                key=record.key,
                headers=record.headers,
                partition=partition(event.subject),
            )
    async with running(follow()):
        await equal(generation, store, tmp_path)
        last = await published(kafka, topic("trials", prefix))
        ends = {record.partition: record.offset + 1 for record in last}
        await until(lambda: all(generation.marks()[topic("trials", prefix), n][3] == end for n, end in ends.items()))
    await equal(generation, store, tmp_path)


async def test_what_an_aborted_transaction_held_is_not_applied(
    kafka: str, store: SqliteStore, generation: Generation, prefix: str, follow: Follow, tmp_path: Path
):
    await fill(store, range(1, 200))
    await relayed(store, kafka, prefix, *SERVICES)
    head = await store.position()
    async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=f"{prefix}aborts") as producer:
        await producer.begin_transaction()
        for event in await stored(store, "trials"):
            record = as_record(event._replace(position=event.position + head), store.id)
            place = {"topic": topic("trials", prefix), "partition": partition(event.subject)}
            await producer.send(**place, value=record.value, key=record.key, headers=record.headers)
        await producer.flush()
        await producer.abort_transaction()
    await fill(store, range(200, 400))
    await relayed(store, kafka, prefix, *SERVICES)
    async with running(follow()):
        await equal(generation, store, tmp_path)


@pytest.mark.parametrize("place", ["page.folded:1", "page.marked:2", "page.committed:1", "refresh.chunk:1"])
async def test_a_follower_killed_at_any_step_goes_on_without_loss_or_repetition(
    kafka: str, store: SqliteStore, prefix: str, tmp_path: Path, start: Start, place: str
):
    await fill(store, range(600))
    await relayed(store, kafka, prefix, *SERVICES)
    arguments = (tmp_path, store.id, kafka, prefix, f"{prefix}trials")
    process = await start("consumer_process", *arguments, RAPPORT_CRASH=place)
    if place == "page.marked:2":  # there must be something left for a second page
        await until((tmp_path / "fed-by-kafka.db").exists)
        await fill(store, range(600, 700))
        await relayed(store, kafka, prefix, *SERVICES)
    assert await asyncio.wait_for(process.ended(), 60) == -signal.SIGKILL
    generation = trials.opened(tmp_path)
    follower = KafkaFollower(generation, store.id, kafka, group=f"{prefix}trials", instance="one", prefix=prefix)
    async with running(follower):
        await equal(generation, store, tmp_path)
    generation.close()


async def test_members_that_come_and_go_apply_every_event_once(
    kafka: str, store: SqliteStore, generation: Generation, prefix: str, follow: Follow, tmp_path: Path
):
    await fill(store, range(EVENTS))
    await relayed(store, kafka, prefix, *SERVICES)
    first, second = follow("one"), follow("two")
    async with running(first):
        async with running(second):
            await until(lambda: len(first._placed) == len(second._placed) == PARTITIONS)  # half of two topics each
            await fill(store, range(EVENTS, EVENTS + 300))
            await relayed(store, kafka, prefix, *SERVICES)
        async with running(follow("two")):  # back within its session: no partition moves
            await fill(store, range(EVENTS + 300, EVENTS + 600))
            await relayed(store, kafka, prefix, *SERVICES)
            await equal(generation, store, tmp_path)
            assert len(first._placed) == PARTITIONS
        await fill(store, range(EVENTS + 600, EVENTS + 900))
        await relayed(store, kafka, prefix, *SERVICES)
        await equal(generation, store, tmp_path)  # once its session is over, the first one has all of them
        assert len(first._placed) == 2 * PARTITIONS


async def test_errors_that_pass_are_waited_for_and_lose_nothing(
    kafka: str,
    store: SqliteStore,
    generation: Generation,
    prefix: str,
    follow: Follow,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    apply, marks = generation.apply, generation.marks
    calls = {"apply": 0, "marks": 0}
    away = OperationalError("insert", {}, Exception("the disk is away"))

    def unreliable(batches: Any) -> None:
        calls["apply"] += 1
        if calls["apply"] % 3 == 1:
            raise away
        apply(batches)
        if calls["apply"] % 3 == 2:
            raise away  # after the commit: the outcome is unknown to the runner

    def unreadable() -> Any:
        calls["marks"] += 1
        if calls["marks"] % 2:
            raise away
        return marks()

    monkeypatch.setattr(generation, "apply", unreliable)
    monkeypatch.setattr(generation, "marks", unreadable)
    await fill(store, range(EVENTS))
    await relayed(store, kafka, prefix, *SERVICES)
    follower = follow()
    async with running(follower):
        await equal(generation, store, tmp_path)
        await until(lambda: follower.failing is None)
    assert calls["apply"] >= 2
    assert calls["marks"] >= 2


async def test_a_record_that_is_no_event_is_parked_and_stops_only_what_is_keyed_like_it(
    kafka: str, store: SqliteStore, generation: Generation, prefix: str, follow: Follow, tmp_path: Path
):
    await create_topics(kafka, SERVICES, prefix=prefix)
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for number in range(12):
            await producer.send_and_wait(
                topic("trials", prefix), b"{", key=b"customer-x", headers=[("ce_type", b"?")], partition=number
            )
            await producer.send_and_wait(topic("trials", prefix), b"{", key=b"customer-x", partition=number)
        record = as_record((await one_event(store)), UUID(int=0))
        await producer.send_and_wait(
            topic("trials", prefix), record.value, key=b"another", headers=record.headers, partition=0
        )
    await fill(store, range(1, 300))
    await relayed(store, kafka, prefix, *SERVICES)
    expected = await trials.fed_from(store, tmp_path)
    async with running(follow()):
        await until(lambda: trials.tables(generation) == expected.tables)
    parked = generation.parked()
    assert len(parked) == 13
    assert {row.reason for row in parked} == {
        "a record without the header ce_type",
        f"an event of another store, {UUID(int=0)}",
    }


async def one_event(store: SqliteStore) -> Any:
    await fill(store, [1])
    return (await stored(store, "trials"))[0]


async def test_a_broker_that_is_not_there_yet_is_tried_again(
    store: SqliteStore, generation: Generation, unused_tcp_port: int
):
    follower = KafkaFollower(generation, store.id, f"127.0.0.1:{unused_tcp_port}", group="trials", instance="one")
    async with running(follower) as task:
        await until(lambda: "does not answer" in (follower.failing or ""))
        assert not task.done()


async def test_a_broker_that_was_killed_is_waited_for(
    own_kafka: servers.MavenKafka, store: SqliteStore, generation: Generation, tmp_path: Path
):
    bootstrap = await asyncio.to_thread(own_kafka.up)
    await fill(store, range(300))
    await relayed(store, bootstrap, "", *SERVICES)
    follower = KafkaFollower(generation, store.id, bootstrap, group="trials", instance="one")
    async with running(follower):
        await equal(generation, store, tmp_path)
        await asyncio.to_thread(own_kafka.kill)
        await fill(store, range(300, 600))
        await asyncio.to_thread(own_kafka.up)
        await relayed(store, bootstrap, "", *SERVICES)
        await equal(generation, store, tmp_path)
