"""The past once more, into a subscriber's own topic."""

import asyncio
import gc
from contextlib import aclosing
from uuid import UUID, uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from topics_kit import assert_chained, by_subject, fill, published, step, stored

from shared.cloudevents import recorded
from shared.errors import Conflict, Refused
from shared.republish import Replay, Republishing, prepare
from shared.sqlite_store import SqliteStore
from shared.topics import partition

pytestmark = pytest.mark.kafka
EVENTS = 7_000


async def replayed(store: SqliteStore, kafka: str, name: str, first: int, last: int) -> tuple[Replay, UUID, list[int]]:
    id_ = uuid4()
    await prepare(kafka, name)
    replay = Replay(store, kafka, Republishing("trials", first, last, name), id_)
    return replay, id_, [position async for position in replay.run()]


def of_replay(records: list, id_: UUID) -> list:
    return [record for record in records if dict(record.headers)["replay"] == str(id_).encode()]


async def test_a_topic_gets_the_events_of_a_range_in_order_of_each_subject(kafka: str, store: SqliteStore, prefix: str):
    await fill(store, range(EVENTS))
    name, first, last = f"{prefix}mine", 1_001, await store.position() - 200
    replay, id_, positions = await replayed(store, kafka, name, first, last)
    wanted = [event for event in await stored(store, "trials") if first <= event.position <= last]
    records = await published(kafka, name)
    assert of_replay(records, id_) == records
    assert by_subject([recorded(record, store.id) for record in records]) == by_subject(wanted)
    assert all(record.partition == partition(record.key.decode()) for record in records)
    assert len(dict(records[0].headers)) == len(records[0].headers), "every header once"
    assert (positions[-1], replay.published) == (last, len(wanted))
    assert positions == sorted(positions)
    assert len(positions) > 1


async def test_a_second_replay_begins_anew_beside_the_first(kafka: str, store: SqliteStore, prefix: str):
    await fill(store, range(300))
    name, head = f"{prefix}mine", await store.position()
    assert not await prepare(kafka, name)
    _, first, _ = await replayed(store, kafka, name, 1, head)
    assert await prepare(kafka, name)
    _, second, _ = await replayed(store, kafka, name, 1, head)
    records = await published(kafka, name)
    for id_ in (first, second):
        events = [recorded(record, store.id) for record in of_replay(records, id_)]
        assert by_subject(events) == by_subject(await stored(store, "trials"))
        assert_chained(events)


@pytest.mark.parametrize(("method", "when", "nth"), [("commit_transaction", "before", 2), ("send_batch", "after", 15)])
async def test_an_interrupted_replay_leaves_whole_transactions_and_can_be_run_again(
    kafka: str, store: SqliteStore, prefix: str, monkeypatch: pytest.MonkeyPatch, method: str, when: str, nth: int
):
    await fill(store, range(EVENTS))
    name, head = f"{prefix}mine", await store.position()
    with monkeypatch.context() as patched:
        running = asyncio.create_task(replayed(store, kafka, name, 1, head))
        step(patched, method, when, nth, running.cancel)
        with pytest.raises(asyncio.CancelledError):
            await running
    _, id_, _ = await replayed(store, kafka, name, 1, head)
    records = await published(kafka, name)
    wanted = await stored(store, "trials")
    assert len(of_replay(records, id_)) == len(wanted)
    mine = str(id_).encode()
    before = [recorded(record, store.id) for record in records if dict(record.headers)["replay"] != mine]
    assert len(before) < len(wanted)
    assert {event.position for event in before} == {event.position for event in wanted[: len(before)]}


async def test_a_replay_that_begins_ends_the_one_before(kafka: str, store: SqliteStore, prefix: str):
    await fill(store, range(EVENTS))
    name, head = f"{prefix}mine", await store.position()
    await prepare(kafka, name)
    one = Replay(store, kafka, Republishing("trials", 1, head, name), uuid4())
    async with aclosing(one.run()) as positions:
        await anext(positions)
        await replayed(store, kafka, name, 1, 10)
        with pytest.raises(Conflict, match="another replay"):
            await anext(positions)
    del one, positions
    gc.collect()  # what aiokafka leaves behind complains here, where it is known to be harmless


async def test_a_topic_of_another_shape_or_a_live_one_is_refused(kafka: str, prefix: str):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(f"{prefix}three", 3, 1)])
    await admin.close()
    with pytest.raises(Refused, match="has 3 partitions, 12 are needed") as refused:
        await prepare(kafka, f"{prefix}three")
    assert refused.value.field == "topic"
    with pytest.raises(Refused, match="live topic"):
        await prepare(kafka, f"{prefix}crm.trials.v1")
