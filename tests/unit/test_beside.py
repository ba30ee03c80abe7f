"""A process beside: what it builds is what this one would build, and whatever becomes of it nothing is lost."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from uuid import UUID

import facts
import pytest

from shared.decider import handle
from shared.errors import RapportError, Unreachable
from shared.projections import beside
from shared.projections.follower import Follower
from shared.projections.generation import Generation, Moved
from shared.projections.sqlite_home import SqliteHome
from shared.verify import content

EVENTS = 60


@pytest.fixture
async def log(tmp_path):
    log = facts.open_log(tmp_path)
    for number in range(EVENTS):
        await place(log, number)
    yield log
    await log.store.close()


async def place(log, number, note=None):
    order = facts.Place(customer_id=UUID(int=number % 7), business_day=number, lines=facts.lines(5, number), note=note)
    await handle(log, facts.order, UUID(int=1000 + number), order, context=facts.asked())


@pytest.fixture
def other(monkeypatch):
    monkeypatch.setattr(beside, "_WORTH", 10)
    monkeypatch.setattr(beside, "_MANY", 5)
    other = beside.Beside()
    yield other
    other.close()


@pytest.fixture
def home(tmp_path):
    return SqliteHome(tmp_path / "read")


@pytest.fixture
def opened(log, home, other):
    generations = []

    def opened(name):
        generations.append(other.generation(facts.family, 1, home.place(name), log.codec))
        return generations[-1]

    yield opened
    for generation in generations:
        generation.close()


@pytest.fixture
def expected(log, home):
    generation = Generation(facts.family, 1, home.place("expected"), log.codec)
    generation.replay(log.store.scan(0, EVENTS))
    generation.refresh()
    yield content(generation)
    generation.close()


def process_of(other):
    return other._process


def test_it_replays_and_refreshes_as_this_process_would(log, opened, other, expected):
    generation = opened("beside")
    told = []
    generation.replay(log.store.scan(0, 30), told=told.append)
    assert told[-1] == 30
    first = process_of(other).pid
    generation.replay(log.store.scan(30, EVENTS))
    assert generation.unrefreshed() > 0
    assert generation.refresh()
    assert process_of(other).pid == first
    assert content(generation) == expected


def test_what_is_little_is_done_here(log, opened, other):
    generation = opened("little")
    generation.replay(log.store.scan(0, 9))
    assert generation.refresh()
    assert generation.position == 9
    assert process_of(other) is None


def test_a_process_that_dies_has_done_nothing_and_another_one_does_it(log, opened, other, expected):
    def kill(_position):
        os.kill(process_of(other).pid, signal.SIGKILL)

    generation = opened("died")
    with pytest.raises(Unreachable, match="has died"):
        generation.replay(log.store.scan(0, EVENTS), told=kill)
    assert not generation.marks()
    generation.replay(log.store.scan(0, EVENTS))
    generation.refresh()
    assert content(generation) == expected


def test_where_none_can_live_all_is_done_here(log, opened, other, expected, monkeypatch):
    monkeypatch.setattr(beside, "_work", dying)
    generation = opened("alone")
    for _ in range(3):
        with pytest.raises(Unreachable, match="has died"):
            generation.replay(log.store.scan(0, EVENTS))
    generation.replay(log.store.scan(0, EVENTS))
    generation.refresh()
    assert content(generation) == expected
    assert process_of(other) is None


def dying(_pipe, _parent):
    os._exit(1)


def test_what_is_not_wanted_any_more_is_ended(log, opened, other):
    def enough(_position):
        raise RapportError("not wanted")

    generation = opened("stopped")
    with pytest.raises(RapportError, match="not wanted"):
        generation.replay(log.store.scan(0, EVENTS), told=enough)
    assert process_of(other) is None
    assert not generation.marks()


async def test_what_cannot_be_folded_and_what_has_moved_is_told(log, opened):
    await place(log, EVENTS, note="poison")
    generation = opened("poisoned")
    with pytest.raises(RapportError, match="this note cannot be read"):
        generation.replay(log.store.scan(0, EVENTS + 1))
    with pytest.raises(Moved, match="is at 0 and not at 20"):
        generation.replay(log.store.scan(20, EVENTS))


def test_it_begins_where_an_idle_store_was_read_to(log, opened):
    generation = opened("idle")
    generation.replay(log.store.scan(0, 30))
    generation.refresh()
    generation.idle(40)
    generation.replay(log.store.scan(40, EVENTS))


def test_another_file_under_the_same_name_is_another_generation(log, home, opened, expected):
    generation = opened("again")
    generation.replay(log.store.scan(0, EVENTS))
    generation.close()
    home.drop("again")
    generation = opened("again")
    assert not generation.marks()
    generation.replay(log.store.scan(0, EVENTS))
    generation.refresh()
    assert content(generation) == expected


def test_one_that_has_nothing_to_do_ends_and_comes_back(log, opened, other, monkeypatch):
    real = beside._work
    monkeypatch.setattr(beside, "_work", idling)
    generation = opened("idled")
    generation.replay(log.store.scan(0, 30))
    process_of(other).join(20)
    assert not process_of(other).is_alive()
    monkeypatch.setattr(beside, "_work", real)
    generation.replay(log.store.scan(30, EVENTS))
    assert process_of(other).is_alive()


def idling(pipe, parent):
    beside._IDLE = 0.2
    beside._work(pipe, parent)


async def test_a_follower_goes_on_by_pages_where_it_has_ended(log, opened, other, expected, monkeypatch):
    monkeypatch.setattr("shared.projections.follower._FAR", 10)
    generation = opened("followed")
    built, there = asyncio.Event(), asyncio.Event()

    def moved():
        if generation.position >= EVENTS:
            built.set()
        if generation.position > EVENTS:
            there.set()

    following = asyncio.create_task(Follower(log.store, generation, moved).run())
    await asyncio.wait_for(built.wait(), 20)
    assert process_of(other) is not None
    assert content(generation) == expected
    await place(log, EVENTS)
    await asyncio.wait_for(there.wait(), 20)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


PARENT = """
    import os, signal, sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    import facts
    from shared.projections import beside
    from shared.projections.sqlite_home import SqliteHome
    from shared.sqlite_scan import SqliteScan

    def die(_position):
        print(other._process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    if __name__ == "__main__":
        beside._WORTH = 1
        other = beside.Beside()
        folder = Path({folder!r})
        log = facts.open_log(folder / "other")
        generation = other.generation(facts.family, 1, SqliteHome(folder / "read").place("left"), log.codec)
        generation.replay(SqliteScan(folder / "events.db", 0, {events}), told=die)
"""


def test_it_ends_with_the_process_that_started_it(log, tmp_path):
    script = tmp_path / "parent.py"
    (tmp_path / "other").mkdir()
    tests = str(Path(__file__).parent)
    script.write_text(textwrap.dedent(PARENT.format(tests=tests, folder=str(tmp_path), events=EVENTS)))
    path = os.pathsep.join([str(Path(__file__).parents[2]), tests])
    ended = subprocess.run(
        [sys.executable, str(script)], stdout=subprocess.PIPE, env={"PYTHONPATH": path}, check=False, timeout=60
    )
    assert ended.returncode == -signal.SIGKILL
    child = int(ended.stdout)
    for _ in range(100):
        if not Path(f"/proc/{child}").exists():
            break
        time.sleep(0.1)
    else:
        os.kill(child, signal.SIGKILL)
        pytest.fail("it goes on without its parent")
