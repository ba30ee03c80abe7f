"""Processes that share a replay: what one of them cannot do nobody has done, and nothing of them is left behind."""

import copy
import multiprocessing
import os
import pickle
import signal
from uuid import UUID

import facts
import pytest

from services.analytics import evidence, purchase_days
from shared.decider import handle
from shared.errors import RapportError
from shared.projections import Family
from shared.projections.generation import Generation
from shared.projections.shares import MOST, processes_for
from shared.projections.sqlite_home import SqliteHome
from shared.verify import content

EVENTS = 40
CUSTOMERS = 6


@pytest.fixture
async def log(tmp_path):
    log = facts.open_log(tmp_path)
    for number in range(EVENTS):
        await place(log, number, number % CUSTOMERS)
    yield log
    await log.store.close()


async def place(log, number, customer, note=None):
    order = facts.Place(customer_id=UUID(int=customer), business_day=number, lines=facts.lines(5, number), note=note)
    await handle(log, facts.order, UUID(int=1000 + number), order, context=facts.asked())


@pytest.fixture
def opened(log, tmp_path):
    generations = []

    def opened(name, family=facts.family):
        generations.append(Generation(family, 1, SqliteHome(tmp_path / "read").place(name), log.codec))
        return generations[-1]

    yield opened
    for generation in generations:
        generation.close()


def beside(generation):
    """What lies in its folder that is not its own."""
    name = generation.place.name
    return [path.name for path in generation.place.folder.iterdir() if not path.name.startswith(f"{name}.db")]


@pytest.mark.parametrize("customer", range(CUSTOMERS))
async def test_what_one_process_cannot_fold_nobody_has_folded(log, opened, customer):
    await place(log, EVENTS, customer, note="poison")
    generation = opened("poisoned")
    with pytest.raises((RapportError, ValueError), match="this note cannot be read"):
        generation.replay(log.store.scan(0, EVENTS + 1), processes=2)
    assert not generation.marks()
    assert beside(generation) == []
    generation.replay(log.store.scan(0, EVENTS), processes=2)  # it can still be written to
    generation.refresh()
    assert generation.position == EVENTS


def test_a_process_that_dies_ends_the_replay(log, opened):
    def kill(_position):
        for process in multiprocessing.active_children():
            os.kill(process.pid, signal.SIGKILL)

    generation = opened("died")
    with pytest.raises(RapportError, match="has died"):
        generation.replay(log.store.scan(0, EVENTS), processes=2, told=kill)
    assert not generation.marks()
    assert not multiprocessing.active_children()
    assert beside(generation) == []


def test_whoever_does_not_want_a_replay_any_more_ends_all_processes(log, opened):
    def enough(_position):
        raise RapportError("not wanted")

    generation = opened("stopped")
    with pytest.raises(RapportError, match="not wanted"):
        generation.replay(log.store.scan(0, EVENTS), processes=3, told=enough)
    assert not multiprocessing.active_children()
    assert not generation.marks()


def test_what_a_crash_left_goes_with_the_next_replay(log, opened):
    generation = opened("again")
    stray = generation.place.folder / "again.part-of-a-crash"
    stray.mkdir()
    (stray / "1.db").touch()
    generation.replay(log.store.scan(0, EVENTS), processes=2)
    assert beside(generation) == []


def test_a_family_that_no_other_process_would_find_is_built_by_one(log, opened):
    nowhere = Family("nowhere", version=1, tables=facts.family.tables)
    with pytest.raises(TypeError, match="no other process would find it"):
        pickle.dumps(nowhere)
    generation, known = opened("nowhere", nowhere), opened("known")
    for each in (generation, known):
        each.replay(log.store.scan(0, EVENTS), processes=2)
        each.refresh()
    assert content(generation) == content(known)


@pytest.mark.parametrize("family", [purchase_days.family, evidence.family])
def test_another_process_finds_the_family_of_a_module(family):
    assert copy.deepcopy(family) is family  # by way of what is pickled


def test_what_needs_the_rows_of_others_is_left_to_one_process():
    assert [table.name for table in facts.family.apart] == ["cards"]
    assert [tables[0].name for tables in facts.family.together_apart] == ["gaps"]
    assert len(evidence.family.apart) == len(evidence.family.documents)
    assert purchase_days.family.together_apart == list(purchase_days.family.together)


def test_a_replay_is_shared_by_as_many_as_it_is_worth(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    sums = Family("sums", version=1, tables=(facts.days,))
    assert [processes_for(sums, events) for events in (1_000, 200_000, 10**9)] == [1, 2, 4]
    assert [processes_for(facts.family, events) for events in (1_000, 50_000, 10**9)] == [1, 2, 4]
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert processes_for(sums, 10**9) == MOST
