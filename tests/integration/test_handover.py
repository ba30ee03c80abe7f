"""A new generation is built from the store and goes on from Kafka: nothing missed, repeated, or of another store."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import trials
from topics_kit import SERVICES, fill, mixed, relayed, relaying, running, until

from shared.consumer import KafkaFollower
from shared.handover import build
from shared.kafka_feed import KafkaFeed
from shared.projections.generation import Generation
from shared.projections.progress import STORE
from shared.sqlite_store import SqliteStore
from shared.topic_ends import TopicEnds, topic_ends
from shared.topics import PARTITIONS

pytestmark = pytest.mark.kafka


@pytest.fixture
def generation(tmp_path: Path) -> Iterator[Generation]:
    generation = trials.opened(tmp_path)
    yield generation
    generation.close()


async def test_it_goes_on_from_kafka_exactly_where_the_store_was_read_to(
    kafka: str, store: SqliteStore, generation: Generation, prefix: str, tmp_path: Path
):
    ends = partial(topic_ends, kafka, SERVICES, prefix)
    await fill(store, range(600), mixed)
    await relayed(store, kafka, prefix, *SERVICES)
    await fill(store, range(600, 900), mixed)  # in the store when it is read, and in no topic yet
    follower = KafkaFollower(
        generation,
        store.id,
        kafka,
        group=prefix,
        instance="one",
        prefix=prefix,
        prepare=lambda: build(generation, store, ends),
    )
    async with relaying(store, kafka, prefix, *SERVICES), running(follower):
        await fill(store, range(900, 1_200), mixed)
        await trials.equal(generation, await trials.fed_from(store, tmp_path))
        await until(lambda: len(generation.marks()) == len(SERVICES) * PARTITIONS)


async def test_records_of_before_are_never_read_and_a_second_time_builds_nothing(
    kafka: str, store: SqliteStore, generation: Generation, prefix: str, tmp_path: Path
):
    former = SqliteStore(tmp_path / "former.sqlite")
    await fill(former, range(200), mixed)
    await relayed(former, kafka, prefix, *SERVICES)
    await former.close()
    ends = partial(topic_ends, kafka, SERVICES, prefix)
    await fill(store, range(100), mixed)
    await build(generation, store, ends)
    built = trials.state(generation)
    await fill(store, range(100, 150), mixed)
    await build(generation, store, ends)
    assert trials.state(generation) == built
    follower = KafkaFollower(generation, store.id, kafka, group=prefix, instance="one", prefix=prefix)
    async with running(follower):
        await until(lambda: follower.failing is None)
        assert trials.state(generation) == built


async def test_a_build_that_is_stopped_goes_on_from_its_watermark(
    kafka: str, store: SqliteStore, generation: Generation, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ends = partial(topic_ends, kafka, SERVICES, prefix)
    await fill(store, range(1_300), mixed)
    apply, pages = generation.apply, []

    def stopping(batches):
        if len(pages) == 1:
            raise asyncio.CancelledError
        pages.append(apply(batches))

    monkeypatch.setattr(generation, "apply", stopping)
    with pytest.raises(asyncio.CancelledError):
        await build(generation, store, ends)
    assert 0 < generation.marks()[STORE].position < await store.position()
    monkeypatch.setattr(generation, "apply", apply)
    await build(generation, store, ends)
    assert STORE not in generation.marks()
    await trials.equal(generation, await trials.fed_from(store, tmp_path))


async def test_a_relay_without_events_of_its_own_says_that_nothing_is_to_come(
    kafka: str, store: SqliteStore, generation: Generation, prefix: str
):
    """An idle partition is not lag: the position goes on with what other services write."""
    watch = TopicEnds(kafka, SERVICES, prefix)
    feed = KafkaFeed(watch, prefix)
    follower = KafkaFollower(generation, store.id, kafka, group=prefix, instance="one", prefix=prefix)
    async with relaying(store, kafka, prefix, *SERVICES), running(watch), running(follower):
        for number in range(3):  # all of one service, and of one subject
            await fill(store, [1 + 60 * number])
            head = await store.position()
            await until(lambda head=head: feed.position(generation) == head and not feed.lag(generation, head).events)
