"""A follower replays what is more than a page ahead of it, and sees to derived tables now and then on the way."""

import asyncio
import sqlite3
import time
from pathlib import Path
from uuid import UUID, uuid4

import facts
import pytest

from shared.decider import handle
from shared.projections import Family, Subject, Sum, Whole, f
from shared.projections.follower import Follower
from shared.projections.generation import Generation
from shared.projections.progress import STORE
from shared.projections.sqlite_home import SqliteHome


@pytest.fixture
async def log(tmp_path: Path):
    log = facts.open_log(tmp_path)
    yield log
    await log.store.close()


async def place(log, orders):
    for _ in range(orders):
        order = facts.Place(customer_id=UUID(int=1), business_day=1, lines=facts.lines(5))
        await handle(log, facts.order, uuid4(), order, context=facts.asked())


def opened(log, tmp_path, family=facts.family):
    return Generation(family, 1, SqliteHome(tmp_path / "read").place(family.name), log.codec)


async def followed(log, generation, upto):
    """Follow until readers see that far."""
    there = asyncio.Event()
    follower = Follower(log.store, generation, lambda: generation.position >= upto and there.set())
    following = asyncio.create_task(follower.run())
    await asyncio.wait_for(there.wait(), 20)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_a_family_without_events_so_far_is_replayed_from_where_it_was_idle(log, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("shared.projections.follower._FAR", 10)
    cancelled = Sum("cancelled", key=(Subject("customer"), Whole("day")), adds=("orders",))
    cancelled.on(facts.Cancelled, day=f.day, orders=+1)
    generation = opened(log, tmp_path, Family("cancelled", version=1, tables=(cancelled,)))
    await place(log, 5)
    generation.idle(5)
    await place(log, 20)
    order = UUID(int=7)
    await handle(
        log,
        facts.order,
        order,
        facts.Place(customer_id=UUID(int=1), business_day=1, lines=facts.lines(5)),
        context=facts.asked(),
    )
    await handle(log, facts.order, order, facts.Cancel(), context=facts.asked())
    await followed(log, generation, 27)
    assert generation.marks()[STORE].applied == 1
    assert "page by page" not in caplog.text


async def test_derived_tables_follow_now_and_then_on_the_way_and_at_the_head(log, tmp_path, monkeypatch):
    monkeypatch.setattr("shared.sqlite_store.PAGE_EVENTS", 1)
    monkeypatch.setattr("shared.projections.follower._FAR", 0)
    monkeypatch.setattr(log.store, "scan", lambda *_: None)
    generation = opened(log, tmp_path)
    refresh, refreshed = generation.refresh, []

    def counted():
        refreshed.append(generation.marks().get(STORE))
        return refresh()

    monkeypatch.setattr(generation, "refresh", counted)
    monkeypatch.setattr("shared.projections.follower._REFRESH_SHARE", 1e-6)
    await place(log, 12)
    await followed(log, generation, 12)
    assert [mark.position if mark else 0 for mark in refreshed] == [0, 12]


async def test_whoever_writes_all_the_time_keeps_derived_tables_from_nobody(log, tmp_path, monkeypatch):
    generation, ended = opened(log, tmp_path), asyncio.Event()
    refresh, calls = generation.refresh, []

    def slowly():
        calls.append(time.monotonic())
        time.sleep(0.5)
        return refresh()

    async def always_one_more(follower):
        return await log.store.position() + 1

    async def arrive():
        while len(calls) < 4:
            await place(log, 1)
            await asyncio.sleep(0.05)
        ended.set()

    monkeypatch.setattr(generation, "refresh", slowly)
    monkeypatch.setattr(Follower, "_head", always_one_more)
    await place(log, 1)
    tasks = [asyncio.create_task(work) for work in (Follower(log.store, generation, lambda: None).run(), arrive())]
    await asyncio.wait_for(ended.wait(), 15)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert generation.position > 1
    generation.close()


async def test_a_part_of_history_that_had_to_wait_does_not_say_so_when_it_is_built(log, tmp_path, monkeypatch):
    generation = opened(log, tmp_path)
    apply, waited = generation.apply, []

    def locked_once(batches):
        if not waited:
            waited.append(follower)
            raise sqlite3.OperationalError("database is locked")
        apply(batches)

    monkeypatch.setattr(generation, "apply", locked_once)
    await place(log, 3)
    follower = Follower(log.store, generation, lambda: None, until=2)
    await asyncio.wait_for(follower.run(), 20)
    assert waited
    assert follower.failing is None
    assert generation.position == 2
    generation.close()
