"""What plain FastStream loses with its defaults, and that the follower loses none of it."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trials
from aiokafka.admin import AIOKafkaAdminClient
from faststream.kafka import KafkaBroker, KafkaMessage
from sqlalchemy.exc import OperationalError
from topics_kit import SERVICES, fill, published, relayed, running, until

from shared.consumer import KafkaFollower
from shared.projections.generation import Generation
from shared.sqlite_store import SqliteStore
from shared.topics import topic

pytestmark = pytest.mark.kafka
AWAY = OperationalError("insert", {}, Exception("the disk is away for a moment"))


@pytest.fixture
def generation(tmp_path: Path, database: str) -> Generation:
    return trials.in_database(tmp_path, database)


Follow = Callable[[], KafkaFollower]


@pytest.fixture
def follow(kafka: str, store: SqliteStore, generation: Generation, prefix: str) -> Follow:
    def follow() -> KafkaFollower:
        return KafkaFollower(generation, store.id, kafka, group=f"{prefix}trials", instance="one", prefix=prefix)

    return follow


async def acknowledged(bootstrap: str, group: str, name: str) -> bool:
    """Whether a group has acknowledged all that a topic holds: none of it will be delivered again."""
    ends = {record.partition: record.offset + 1 for record in await published(bootstrap, name)}
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    committed = {place.partition: found.offset for place, found in offsets.items() if place.topic == name}
    return all(committed.get(number, 0) >= end for number, end in ends.items())


def record_of(message: KafkaMessage) -> tuple[int, int]:
    record: Any = message.raw_message
    return record.partition, record.offset


async def test_a_handler_that_fails_once_loses_one_of_ten_events_of_plain_faststream(
    kafka: str, store: SqliteStore, prefix: str
):
    await fill(store, range(1, 11), lambda _: "crm.trials.TrialHeld")
    await relayed(store, kafka, prefix, "trials")
    handled: list[tuple[int, int]] = []
    failed: list[tuple[int, int]] = []
    broker = KafkaBroker(kafka, logger=None)

    @broker.subscriber(topic("trials", prefix), group_id=f"{prefix}plain", auto_offset_reset="earliest")
    async def handler(message: KafkaMessage) -> None:
        if len(handled) == 3 and not failed:
            failed.append(record_of(message))
            raise AWAY
        handled.append(record_of(message))

    await broker.start()
    await until(lambda: len(handled) + len(failed) >= 10)
    await broker.stop()
    assert await acknowledged(kafka, f"{prefix}plain", topic("trials", prefix))
    assert len(set(handled)) == len(handled) == 9
    assert failed[0] not in handled


async def test_a_page_that_fails_once_loses_no_event_of_the_follower(
    kafka: str,
    store: SqliteStore,
    generation: Generation,
    prefix: str,
    follow: Follow,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    await fill(store, range(1, 11), lambda _: "crm.trials.TrialHeld")
    await relayed(store, kafka, prefix, *SERVICES)
    apply = generation.apply
    attempts: list[Any] = []

    def failing_once(batches: Any) -> None:
        attempts.append(batches)
        if len(attempts) == 1:
            raise AWAY
        apply(batches)

    monkeypatch.setattr(generation, "apply", failing_once)
    async with running(follow()):
        await trials.equal(generation, await trials.fed_from(store, tmp_path))
    assert any(batch.events for batch in attempts[0])


async def test_a_clean_stop_loses_all_six_events_of_plain_faststream_with_more_than_one_worker(
    kafka: str, store: SqliteStore, prefix: str
):
    await fill(store, range(1, 7), lambda _: "crm.trials.TrialHeld")
    await relayed(store, kafka, prefix, "trials")
    begun: list[tuple[int, int]] = []
    handled: list[tuple[int, int]] = []
    broker = KafkaBroker(kafka, logger=None, graceful_timeout=1)

    @broker.subscriber(topic("trials", prefix), group_id=f"{prefix}plain", auto_offset_reset="earliest", max_workers=4)
    async def handler(message: KafkaMessage) -> None:
        begun.append(record_of(message))
        await asyncio.Event().wait()  # until the stop has lost its patience
        handled.append(record_of(message))

    await broker.start()
    await until(lambda: len(begun) == 4)
    async with asyncio.timeout(30):
        while not await acknowledged(kafka, f"{prefix}plain", topic("trials", prefix)):
            pass
    await broker.stop()
    assert await acknowledged(kafka, f"{prefix}plain", topic("trials", prefix))
    assert len(begun) == 4
    assert handled == []


async def test_a_clean_stop_loses_no_event_of_the_follower(
    kafka: str,
    store: SqliteStore,
    generation: Generation,
    prefix: str,
    follow: Follow,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    await fill(store, range(1, 7), lambda _: "crm.trials.TrialHeld")
    await relayed(store, kafka, prefix, *SERVICES)
    apply = generation.apply
    begun, stopped = threading.Event(), threading.Event()

    def interrupted(batches: Any) -> None:
        begun.set()
        assert stopped.wait(30)
        raise AWAY

    with monkeypatch.context() as patched:
        patched.setattr(generation, "apply", interrupted)
        following = asyncio.create_task(follow().run())
        await until(begun.is_set)
        following.cancel()
        stopped.set()
        await asyncio.wait([following], timeout=30)
        assert following.cancelled()
    assert not any(mark.applied for mark in generation.marks().values())
    assert generation.apply == apply
    async with running(follow()):
        await trials.equal(generation, await trials.fed_from(store, tmp_path))
