"""Readiness: what is wrong is named, and silence counts as wrong."""

import asyncio
from contextlib import asynccontextmanager

from shared.health import CLOSE, STALE, Health, KeepsUp


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@asynccontextmanager
async def running(health):
    task = asyncio.create_task(health.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def told(health, name, wanted):
    async with asyncio.timeout(5):
        while health.problems().get(name) != wanted:  # noqa: ASYNC110, nothing tells when a probe has answered
            await asyncio.sleep(0)


async def test_a_need_is_not_met_before_it_was_asked_for():
    async def well():
        return None

    health = Health({"store": well})
    assert health.problems() == {"store": "is not known yet"}
    async with running(health):
        await told(health, "store", None)


async def test_what_a_probe_says_and_what_it_raises_is_told_by_name():
    async def ill():
        return "is full"

    async def broken():
        raise OSError("no route")

    health = Health({"disk": ill, "kafka": broken})
    async with running(health):
        await told(health, "disk", "is full")
        await told(health, "kafka", "OSError: no route")


async def test_a_probe_that_hangs_is_found_out_by_its_silence():
    clock, silent = Clock(), asyncio.Event()

    async def probe():
        if silent.is_set():
            await asyncio.Event().wait()

    health = Health({"store": probe}, clock)
    async with running(health):
        await told(health, "store", None)
        silent.set()
        clock.now += STALE + 1
        assert health.problems() == {"store": "has not answered for 7 s"}


class Follower:
    def __init__(self):
        self.failing, self.behind, self.place = None, 0, 0
        self.clock = Clock()
        self.probe = KeepsUp(lambda: self.failing, lambda: self.behind, lambda: self.place, self.clock)


async def test_a_follower_is_ready_once_it_has_caught_up():
    follower = Follower()
    follower.behind = CLOSE
    assert await follower.probe() == f"is being built, {CLOSE} events to go"
    follower.behind = CLOSE - 1
    assert await follower.probe() is None
    follower.behind = 10 * CLOSE
    assert await follower.probe() is None


async def test_a_follower_that_is_behind_has_to_move():
    follower = Follower()
    assert await follower.probe() is None
    follower.behind = 3
    assert await follower.probe() is None
    follower.clock.now += STALE + 1
    assert await follower.probe() == "does not move, 3 events behind"
    follower.place = 1
    assert await follower.probe() is None


async def test_a_follower_with_nothing_to_do_need_not_move():
    follower = Follower()
    assert await follower.probe() is None
    follower.clock.now += 1_000
    assert await follower.probe() is None
    follower.behind = 1
    assert await follower.probe() is None


async def test_a_follower_that_fails_says_why():
    follower = Follower()
    follower.failing = "OperationalError: the database is away"
    assert await follower.probe() == "waits: OperationalError: the database is away"
