"""A replay folds as pages do, wherever it starts and however many processes share it, and leaves nothing half done."""

import asyncio
import random
import threading
from pathlib import Path
from uuid import UUID

import facts
import numpy as np
import pytest
import sqlalchemy as sa

from shared import crashpoints
from shared.decider import handle
from shared.errors import RapportError
from shared.projections import Family, Subject, Sum, Whole, f, replay
from shared.projections.additions import Addition
from shared.projections.follower import Follower
from shared.projections.generation import Generation
from shared.projections.kit import Crash
from shared.projections.progress import STORE, Batch
from shared.sqlite_scan import SqliteScan
from shared.verify import content

EVENTS = 120


@pytest.fixture
async def log(tmp_path: Path):
    log = facts.open_log(tmp_path)
    rng = random.Random(7)
    for number in range(EVENTS):
        order = facts.Place(
            customer_id=UUID(int=rng.randrange(9)),
            business_day=rng.randrange(30),
            lines=facts.lines(*(rng.randrange(100) for _ in range(rng.randint(1, 4)))),
            note=rng.choice([None, "n1"]),
        )
        await handle(log, facts.order, UUID(int=number), order, context=facts.asked())
        if rng.random() < 0.2:
            await handle(log, facts.order, UUID(int=number), facts.Cancel(), context=facts.asked())
    yield log
    await log.store.close()


@pytest.fixture
async def history(log):
    return [event async for page in log.store.pages(0) for event in page.events]


@pytest.fixture
def opened(log, home):
    generations = []

    def opened(name, family=facts.family):
        generations.append(Generation(family, 1, home.place(name), log.codec))
        return generations[-1]

    yield opened
    for generation in generations:
        generation.close()


def by_pages(generation, history):
    for start in range(0, len(history), 50):
        page = history[start : start + 50]
        generation.apply([Batch(*STORE, page, page[-1].position, 0)])
    generation.refresh()
    return content(generation)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_it_comes_to_what_pages_come_to(log, history, opened, processes):
    told = []
    generation = opened("replayed")
    generation.replay(log.store.scan(0, len(history)), processes=processes, told=told.append)
    generation.refresh()
    assert content(generation) == by_pages(opened("paged"), history)
    assert told[-1] == len(history)


def test_it_goes_on_where_pages_stopped_and_pages_where_it_stopped(log, history, opened):
    generation = opened("mixed")
    by_pages(generation, history[:60])
    generation.replay(log.store.scan(60, 110))
    assert content(generation) is None  # the derived tables have to follow
    assert by_pages(generation, history) == by_pages(opened("paged"), history)


@pytest.mark.parametrize("processes", [1, 2])
def test_what_does_not_fit_into_memory_is_added_up_where_it_is_written(log, history, opened, processes, monkeypatch):
    monkeypatch.setattr(replay, "_ROWS_IN_MEMORY", 20)
    monkeypatch.setattr("shared.sqlite_scan._POSITIONS", 30)
    generation = opened("spilled")
    generation.replay(log.store.scan(0, len(history)), processes=processes)
    generation.refresh()
    assert content(generation) == by_pages(opened("paged"), history)


def test_it_starts_at_the_watermark_or_not_at_all(log, history, opened):
    generation = opened("elsewhere")
    with pytest.raises(RapportError, match="is at 0 and not at 50"):
        generation.replay(log.store.scan(50, len(history)))
    assert generation.marks().get(STORE) is None


def test_it_starts_where_its_watermark_is_read_although_an_idle_store_was_read_further(log, history, opened):
    generation = opened("idle")
    generation.apply([Batch(*STORE, history[:60], 60, 0)])
    generation.idle(65)
    assert generation.marks()[STORE].position == 60  # until the derived tables have followed
    generation.replay(log.store.scan(60, len(history)))
    generation.refresh()
    assert content(generation) == by_pages(opened("paged"), history)


def test_a_crash_leaves_nothing_of_it(log, history, opened):
    def crash(name):
        if name == "replay.folded":
            raise Crash

    generation = opened("crashed")
    crashpoints.arm(crash)
    try:
        with pytest.raises(Crash):
            generation.replay(log.store.scan(0, len(history)))
    finally:
        crashpoints.arm(None)
    assert not generation.marks()
    generation.replay(log.store.scan(0, len(history)))
    generation.refresh()
    assert content(generation) == by_pages(opened("paged"), history)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_sum_that_no_event_adds_to_stays_empty(log, history, opened, processes):
    odd = Sum("odd", key=(Subject("customer"), Whole("score")), adds=("answers",))
    odd.on(facts.Cancelled, score=0, answers=+1)
    generation = opened("empty", Family("odd", version=1, tables=(odd,)))
    assert history[0].type == facts.Placed.type
    generation.replay(log.store.scan(0, 1), processes=processes)
    with generation.read() as snapshot:
        assert snapshot.position == 1
        assert snapshot.execute(sa.text("SELECT count(*) FROM odd")).scalar_one() == 0


async def test_what_cannot_be_folded_is_left_to_pages_which_park_it(log, history, opened, monkeypatch):
    monkeypatch.setattr("shared.projections.follower._FAR", 10)
    poisoned = history[70].subject
    odd = Sum("odd", key=(Subject("customer"), Whole("day")), adds=("orders",))
    odd.on(facts.Placed, day=f.day, orders=+1)
    family = Family("odd", version=1, tables=(odd,))
    decode = replay.Plan.fold

    def fold(self, subjects, lines, codes):
        if history[70].data in lines.split(b"\n"):
            raise ValueError("cannot be folded")
        return decode(self, subjects, lines, codes)

    monkeypatch.setattr("shared.projections.fold.Plan.fold", fold)
    generation = opened("poisoned", family)
    there = asyncio.Event()
    follower = Follower(log.store, generation, lambda: generation.position >= len(history) and there.set())
    following = asyncio.create_task(follower.run())
    await asyncio.wait_for(there.wait(), 20)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert {row.subject for row in generation.parked()} == {poisoned}
    held = [event for event in history[70:] if event.subject == poisoned and event.type in family.types]
    assert generation.parked_count() == len(held)


async def test_whoever_stops_a_follower_does_not_wait_for_its_replay(log, history, opened, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()
    slices = SqliteScan.slices

    def slowly(*args):
        for slice_ in slices(*args):
            yield slice_
            begun.set()
            assert go_on.wait(20)

    monkeypatch.setattr("shared.projections.follower._FAR", 10)
    monkeypatch.setattr("shared.sqlite_scan._POSITIONS", 20)
    monkeypatch.setattr(SqliteScan, "slices", slowly)
    generation = opened("stopped")
    following = asyncio.create_task(Follower(log.store, generation, lambda: None).run())
    assert await asyncio.to_thread(begun.wait, 20)
    following.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(following, return_exceptions=True)
    assert not generation.marks()


def test_additions_group_keys_of_any_size():
    table = Sum("wide", key=(Whole("a"), Whole("b"), Whole("c")), adds=("n",), earliest=("first",), latest=("last",))
    rng = np.random.default_rng(3)
    for bits in (3, 20, 40):  # packed with the row number, packed alone, too wide to be packed
        rows = [rng.integers(-(2**bits), 2**bits, 300) // 2 ** (bits - 2) * 2 ** (bits - 2) for _ in range(3)]
        numbers = rng.integers(-3, 4, 300)
        addition = Addition(table)
        for start in range(0, 300, 100):
            part = slice(start, start + 100)
            addition.add([key[part] for key in rows], [numbers[part], numbers[part], numbers[part]])
        expected = {}
        for a, b, c, number in zip(*(column.tolist() for column in (*rows, numbers)), strict=True):
            total, first, last = expected.get((a, b, c), (0, number, number))
            expected[a, b, c] = total + number, min(first, number), max(last, number)
        found = list(zip(*(column.tolist() for column in addition.columns()), strict=True))
        assert {row[:3]: row[3:] for row in found} == expected
        assert [row[:3] for row in found] == sorted(expected)


def test_sums_that_come_to_nothing_are_not_written():
    addition = Addition(Sum("plain", key=(Whole("a"),), adds=("n", "m")))
    addition.add([np.array([1, 2, 1])], [np.array([1, 1, -1]), 0])
    assert [column.tolist() for column in addition.columns()] == [[2], [1], [0]]
    assert [len(column) for column in Addition(addition.table).columns()] == [0, 0, 0]
