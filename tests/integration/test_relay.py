import asyncio
import signal
from pathlib import Path

import pytest
import servers
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from programs import Start
from topics_kit import (
    STEPS,
    assert_topic_is_the_store,
    fill,
    relayed,
    running,
    step,
    stored,
    until,
)

from shared.checkpoint import last_checkpoint
from shared.relay import Fenced, OtherStore, Relay, State
from shared.sqlite_store import SqliteStore
from shared.topics import WrongTopic, checkpoints, topic

pytestmark = pytest.mark.kafka
EVENTS = 1_200


async def test_a_topic_holds_exactly_the_events_of_its_service_in_order_of_each_subject(
    kafka: str, store: SqliteStore, prefix: str
):
    await fill(store, range(EVENTS))
    await relayed(store, kafka, prefix, "trials")
    await assert_topic_is_the_store(store, kafka, prefix)
    assert await stored(store, "elsewhere")


async def test_a_relay_goes_on_from_its_checkpoint(kafka: str, store: SqliteStore, prefix: str):
    await fill(store, range(EVENTS))
    await relayed(store, kafka, prefix, "trials")
    again = Relay(store, kafka, "trials", prefix=prefix)
    async with running(again):
        await until(lambda: again.state is State.RELAYING)
        assert again.published == await store.position()
        assert await last_checkpoint(kafka, checkpoints("trials", prefix)) == (str(store.id), again.published)
    await assert_topic_is_the_store(store, kafka, prefix)


async def test_what_is_appended_while_a_relay_runs_follows_at_once(kafka: str, store: SqliteStore, prefix: str):
    relay = Relay(store, kafka, "trials", prefix=prefix)
    async with running(relay):
        for number in range(1, 6):
            await fill(store, [number])
            head = await store.position()
            await until(lambda head=head: relay.published >= head)
        assert relay.state is State.RELAYING
    await assert_topic_is_the_store(store, kafka, prefix)


async def test_the_first_page_does_not_wait_for_a_second_one(kafka: str, store: SqliteStore, prefix: str):
    await fill(store, [number for number in range(1, 1200) if number % 10][:1000])  # exactly a full page
    await relayed(store, kafka, prefix, "trials")
    await assert_topic_is_the_store(store, kafka, prefix)


@pytest.mark.parametrize(("method", "when", "nth"), STEPS)
async def test_a_relay_cancelled_at_any_step_leaves_the_topic_whole(
    kafka: str, store: SqliteStore, prefix: str, monkeypatch: pytest.MonkeyPatch, method: str, when: str, nth: int
):
    await fill(store, range(EVENTS))
    relay = Relay(store, kafka, "trials", prefix=prefix)
    task = asyncio.create_task(relay.run())
    with monkeypatch.context() as patched:
        step(patched, method, when, nth, task.cancel)
        if nth > 1 and "transaction" in method:  # a second transaction needs something to carry
            await until(lambda: relay.published > 0)
            await fill(store, range(EVENTS, EVENTS + 50))
        await asyncio.wait({task}, timeout=60)
    assert task.cancelled()
    assert relay.state is State.STOPPED
    await relayed(store, kafka, prefix, "trials")
    await assert_topic_is_the_store(store, kafka, prefix)


@pytest.mark.parametrize(("method", "when", "nth"), STEPS[2:8:2])
async def test_a_relay_process_killed_at_any_step_leaves_the_topic_whole(
    kafka: str, store: SqliteStore, prefix: str, tmp_path: Path, start: Start, method: str, when: str, nth: int
):
    await fill(store, range(EVENTS))
    process = await start("relay_process", tmp_path / "store.sqlite", kafka, prefix, "--step", method, when, nth)
    assert await asyncio.wait_for(process.ended(), 60) == -signal.SIGKILL
    await fill(store, range(EVENTS, EVENTS + 50))
    await relayed(store, kafka, prefix, "trials")
    await assert_topic_is_the_store(store, kafka, prefix)


async def test_a_publish_with_an_unknown_outcome_is_neither_lost_nor_doubled(
    kafka: str, store: SqliteStore, prefix: str, monkeypatch: pytest.MonkeyPatch
):
    def unanswered() -> None:
        raise TimeoutError

    for when in ("before", "after"):
        with monkeypatch.context() as patched:
            step(patched, "commit_transaction", when, 1, unanswered)
            await fill(store, range(EVENTS) if when == "before" else range(EVENTS, EVENTS + 50))
            await relayed(store, kafka, prefix, "trials")
    await assert_topic_is_the_store(store, kafka, prefix)


async def test_a_second_relay_fences_the_first(kafka: str, store: SqliteStore, prefix: str):
    first, second = (Relay(store, kafka, "trials", prefix=prefix) for _ in range(2))
    await fill(store, range(100))
    async with running(first) as fenced:
        await until(lambda: first.published)
        async with running(second):
            await until(lambda: second.state is State.RELAYING)
            await fill(store, range(100, 200))
            head = await store.position()
            await until(lambda: second.published >= head)
            with pytest.raises(Fenced, match="another relay"):
                await asyncio.wait_for(fenced, 30)
    assert first.state is State.FENCED
    await assert_topic_is_the_store(store, kafka, prefix)


async def test_a_topic_of_another_store_is_refused(kafka: str, store: SqliteStore, prefix: str, tmp_path: Path):
    await fill(store, range(100))
    await relayed(store, kafka, prefix, "trials")
    other = SqliteStore(tmp_path / "other.sqlite")
    try:
        relay = Relay(other, kafka, "trials", prefix=prefix)
        with pytest.raises(OtherStore, match=str(store.id)):
            await asyncio.wait_for(relay.run(), 30)
        assert relay.state is State.REFUSED
        assert str(other.id) in (relay.error or "")
    finally:
        await other.close()


async def test_a_store_that_went_back_in_time_is_refused(
    kafka: str, store: SqliteStore, prefix: str, monkeypatch: pytest.MonkeyPatch
):
    await fill(store, range(100))
    await relayed(store, kafka, prefix, "trials")

    async def earlier() -> int:
        return 50

    monkeypatch.setattr(store, "position", earlier)
    with pytest.raises(OtherStore, match="the store ends at 50"):
        await asyncio.wait_for(Relay(store, kafka, "trials", prefix=prefix).run(), 30)


async def test_a_topic_with_another_number_of_partitions_is_refused(kafka: str, store: SqliteStore, prefix: str):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(topic("trials", prefix), 3, 1)])
    await admin.close()
    with pytest.raises(WrongTopic, match="has 3 partitions, 12 are needed"):
        await asyncio.wait_for(Relay(store, kafka, "trials", prefix=prefix).run(), 30)


async def test_a_broker_that_is_away_is_waited_for(
    own_kafka: servers.MavenKafka, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("shared.relay._ANSWER", 3.0)  # so that it notices within the test's patience
    await fill(store, range(500))
    bootstrap = own_kafka.up()
    relay = Relay(store, bootstrap, "trials")
    async with running(relay) as task:
        await until(lambda: relay.published >= 500)
        await asyncio.to_thread(own_kafka.kill)
        await fill(store, range(500, 1000))
        await until(lambda: relay.state is State.RETRYING)
        await asyncio.to_thread(own_kafka.up)
        head = await store.position()
        await until(lambda: relay.published >= head or task.done())
        assert relay.state is State.RELAYING
        assert relay.error is None
    await assert_topic_is_the_store(store, bootstrap, "")
