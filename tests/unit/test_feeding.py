"""What is fed, and who notices when it is not."""

import asyncio

import facts
import pytest
from test_replays import Desk, opened, sell

from shared import feeding
from shared.projections.catalog import Wish
from shared.projections.sqlite_home import SqliteHome


@pytest.fixture
async def log(tmp_path):
    log = facts.open_log(tmp_path)
    yield log
    await log.store.close()


@pytest.fixture
def place(tmp_path):
    return SqliteHome(tmp_path / "read")


async def test_what_nobody_feeds_is_named(log, place):
    desk = Desk(log, place)
    assert desk.feeding.failing("shop") == "is not fed"
    desk.models.close()


async def test_a_watcher_that_stands_still_is_noticed(log, place, monkeypatch):
    async with opened(log, place) as desk:
        await desk.models.reached(facts.family, 0, wait=60)
        async with asyncio.timeout(10):
            while desk.feeding.failing("shop") is not None:
                await desk.models.progress(0.01)
        monkeypatch.setattr(feeding, "STALE", -1.0)
        assert "nobody has looked" in desk.feeding.failing("shop")


async def test_a_feeder_that_ends_by_a_fault_is_started_again(log, place):
    async with opened(log, place) as desk:
        entry = await desk.replays.start(facts.family, Wish())
        await desk.until_built(entry)
        generation = desk.models.open(entry)
        apply, faults = generation.apply, iter([ValueError("a fault of ours")])

        def faulty(batches):
            for fault in faults:
                raise fault
            apply(batches)

        generation.apply = faulty
        await sell(log)
        await desk.until_built(entry)
        assert generation.position == 1
