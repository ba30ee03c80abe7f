"""A candidate is brought as far as what is read, and only where that repeats and loses nothing."""

import asyncio
from contextlib import suppress
from uuid import UUID

import facts
import pytest
from test_replays import NEW, OLD, Desk, folded, log, sell, tables  # noqa: F401, a fixture

from shared import abreast
from shared.errors import Refused
from shared.kafka_feed import KafkaFeed
from shared.projections import ReadModels
from shared.projections.catalog import Wish
from shared.projections.page import Poisoned
from shared.projections.progress import STORE, Batch, Mark
from shared.threads import entered
from shared.topic_ends import TopicEnds
from shared.topics import PARTITIONS, partition, topic

TOPIC = topic("test", "p.")


@pytest.fixture
def desk(log, home):  # noqa: F811
    """Nobody feeds anything here: the test says how far each generation is."""
    desk = Desk(log, home)
    yield desk
    desk.models.close()


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(abreast, "_SOME_TIME", 0.3)


async def events(log):  # noqa: F811
    return [event async for page in log.store.pages(0) for event in page.events]


async def feed(desk, generation, upto):
    some = (await events(desk.log))[:upto]
    generation.apply([Batch(*STORE, some, upto, 0)])
    generation.refresh()


@pytest.mark.parametrize("far", [1, 12, 29, 30])
async def test_a_swap_gives_the_candidate_what_its_feeder_has_not_brought_yet(desk, log, tmp_path, far):  # noqa: F811
    await sell(log, 40)
    await feed(desk, desk.models.active(facts.family), 30)
    entry = await desk.replays.start(facts.family, Wish())
    candidate = desk.models.open(entry)
    await feed(desk, candidate, far)
    await desk.replays.swap(facts.family, entry, among=NEW)
    assert desk.models.active(facts.family) is candidate
    assert candidate.position == 40
    assert tables(candidate) == await folded(log, tmp_path)
    before = await desk.replays.entry(facts.family, None, OLD, "roll back")
    await sell(log, 5)
    await desk.replays.swap(facts.family, before, among=OLD)
    assert tables(desk.models.active(facts.family)) == await folded(log, tmp_path)


async def test_a_candidate_that_lacks_too_much_is_left_to_its_feeder(desk, log, hurried, monkeypatch):  # noqa: F811
    monkeypatch.setattr(abreast, "_NEAR", 10)
    await sell(log, 40)
    active = desk.models.active(facts.family)
    await feed(desk, active, 40)
    entry = await desk.replays.start(facts.family, Wish())
    await feed(desk, desk.models.open(entry), 20)
    for doing in (desk.replays.swap(facts.family, entry, among=NEW), desk.compared(entry)):
        with pytest.raises(Refused, match="does not catch up"):
            await doing
    assert desk.models.open(entry).position == 20
    assert desk.models.active(facts.family) is active


async def test_a_candidate_that_has_much_to_compute_is_left_to_its_feeder(desk, log, hurried, monkeypatch):  # noqa: F811
    monkeypatch.setattr(abreast, "_NEAR", 4)
    await sell(log, 40)
    active = desk.models.active(facts.family)
    await feed(desk, active, 40)
    entry = await desk.replays.start(facts.family, Wish())
    candidate = desk.models.open(entry)
    candidate.apply([Batch(*STORE, await events(log), 40, 0)])
    assert candidate.unrefreshed() == 5
    with pytest.raises(Refused, match="does not catch up"):
        await desk.replays.swap(facts.family, entry, among=NEW)
    assert candidate.unrefreshed() == 5
    monkeypatch.setattr(abreast, "_NEAR", 5)
    await desk.replays.swap(facts.family, entry, among=NEW)
    assert (desk.models.active(facts.family), candidate.unrefreshed()) == (candidate, 0)


async def test_what_is_read_and_was_faster_is_not_replaced_by_less(desk, log, monkeypatch, tmp_path):  # noqa: F811
    await sell(log, 40)
    active = desk.models.active(facts.family)
    await feed(desk, active, 20)
    entry = await desk.replays.start(facts.family, Wish())
    await feed(desk, desk.models.open(entry), 15)
    still, tries = active.still, 0

    async def goes_on():
        await sell(log, 5)
        await feed(desk, active, 45)

    def in_between():
        nonlocal tries
        tries += 1
        if tries == 1:
            asyncio.run_coroutine_threadsafe(goes_on(), loop).result()
        return still()

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(active, "still", in_between)
    await desk.replays.swap(facts.family, entry, among=NEW)
    assert tries == 2
    assert tables(desk.models.active(facts.family)) == await folded(log, tmp_path)


async def test_a_candidate_that_nothing_was_fed_to_yet_is_waited_for(desk, log, monkeypatch):  # noqa: F811
    entry = await desk.replays.start(facts.family, Wish())
    active, candidate = desk.models.active(facts.family), desk.models.open(entry)
    await sell(log, 10)
    every = await events(log)
    still, begun = candidate.still, asyncio.Event()

    async def begins():
        await begun.wait()
        await asyncio.sleep(0.1)
        await asyncio.to_thread(candidate.apply, [Batch(*STORE, every[:4], 4, 0)])

    def in_between():
        if not begun.is_set():  # both held nothing when the comparison began
            active.apply([Batch(*STORE, every, 10, 0)])
            active.refresh()
            begun.set()
        return still()

    monkeypatch.setattr(candidate, "still", in_between)
    beginning = asyncio.create_task(begins())
    assert (await desk.compared(entry)).equal
    await beginning
    assert candidate.position == 10


async def test_poison_that_only_the_candidate_meets_changes_nothing_of_it(desk, log, hurried, tmp_path):  # noqa: F811
    await sell(log, 3)
    await sell(log, 1, note="poison", customer=9)
    await sell(log, 3)
    active = desk.models.active(facts.family)
    await feed(desk, active, 7)
    assert active.parked_count() == 1
    entry = await desk.replays.start(facts.family, Wish())
    candidate = desk.models.open(entry)
    candidate.rebuilding(now=True)
    await feed(desk, candidate, 1)
    for doing in (desk.replays.swap(facts.family, entry, among=NEW), desk.compared(entry)):
        with pytest.raises(Refused, match=r"cannot apply crm.test.Placed at 4: "):
            await doing
        assert candidate.position == 1
        assert tables(candidate) == await folded(log, tmp_path, until=1)
    with pytest.raises(Poisoned):
        await feed(desk, candidate, 7)


async def test_a_candidate_that_the_store_still_builds_is_not_mixed_with_partitions(log, home, hurried, tmp_path):  # noqa: F811
    await sell(log, 20)
    ends = TopicEnds("127.0.0.1:1", ["test"], "p.")
    desk = Desk(log, home)
    desk.models.close()
    desk.models = desk.replays._models = ReadModels(
        home, [facts.family], log.codec, log.store.id, KafkaFeed(ends, "p.")
    )
    active = desk.models.active(facts.family)
    await feed(desk, active, 20)
    active.hand_over([Mark(TOPIC, number, 20, 0, 20) for number in range(PARTITIONS)])
    entry = await desk.replays.start(facts.family, Wish())
    candidate = desk.models.open(entry)
    await feed(desk, candidate, 10)
    for doing in (desk.replays.swap(facts.family, entry, among=NEW), desk.compared(entry)):
        with pytest.raises(Refused, match="does not catch up"):
            await doing
    await feed(desk, candidate, 15)
    assert tables(candidate) == await folded(log, tmp_path, until=15)
    candidate.hand_over([Mark(TOPIC, number, 15, 0, 15) for number in range(PARTITIONS)])
    assert (await desk.compared(entry)).equal
    late = (await events(log))[15]
    again = Batch(TOPIC, partition(late.subject), [late], 20, 1)  # Kafka brings what the comparison has given it
    candidate.apply([again])
    assert tables(candidate) == await folded(log, tmp_path)
    await desk.replays.swap(facts.family, entry, among=NEW)
    desk.models.close()


async def test_who_is_cancelled_while_a_lock_is_waited_for_does_not_keep_it(desk, log):  # noqa: F811
    generation = desk.models.active(facts.family)
    with generation.still():
        waiting = asyncio.create_task(entered(generation.still()).__aenter__())
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.sleep(0.1)
        assert not waiting.done()
    with suppress(asyncio.CancelledError):
        await waiting
    await sell(log, 1, customer=UUID(int=1).int)
    async with asyncio.timeout(10):
        await feed(desk, generation, 1)
    assert generation.position == 1
