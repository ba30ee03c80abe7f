"""Keeping up every generation that the catalog says is to be kept up: one feeder each, started and stopped in turn."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final, Never, Protocol

from shared.backoff import Backoff
from shared.health import STALE
from shared.projections import ReadModels
from shared.projections.catalog import FED, Entry, Status
from shared.projections.generation import Generation
from shared.projections.page import Poisoned
from shared.threads import in_thread

_LOOK: Final = 1.0
"""Seconds after which the catalog is looked at again: other processes write there too."""
_RATE_SECONDS: Final = 60.0
_BUILT: Final = frozenset({Status.BUILDING, Status.AS_OF})
_log = logging.getLogger(__name__)

Which = tuple[str, int]
"""A family and the number of a generation."""


class Feeder(Protocol):
    """Applies events to one generation until it is cancelled, or holds all that it is to hold."""

    @property
    def failing(self) -> str | None:
        """What keeps it from going on."""

    @property
    def reached(self) -> int:
        """How far the log was folded; what is written may be behind it."""

    async def run(self) -> None:
        """Feed."""


class Alone:
    """Has one process of all feed, and the others wait for their turn."""

    def __init__(self, feeder: Feeder, turn: Callable[[], AbstractAsyncContextManager[object]]) -> None:
        self._feeder = feeder
        self._turn = turn

    @property
    def failing(self) -> str | None:
        """What keeps it from going on."""
        return self._feeder.failing

    @property
    def reached(self) -> int:
        """How far this process has folded the log."""
        return self._feeder.reached

    async def run(self) -> None:
        """Feed when it is our turn."""
        async with self._turn():
            await self._feeder.run()


class Fed:
    """One generation that is being fed, and how fast."""

    def __init__(self, generation: Generation, feeder: Feeder) -> None:
        self.generation = generation
        self.feeder = feeder
        self.ended: str | None = None
        self.reached = 0
        self.task: asyncio.Task[None] | None = None
        self._samples: deque[tuple[float, int]] = deque()

    def sample(self) -> None:
        """Note how far it is now."""
        now = time.monotonic()
        written = max((mark.position for mark in self.generation.marks().values()), default=0)
        self.reached = max(written, self.feeder.reached)
        self._samples.append((now, self.reached))
        while self._samples[0][0] < now - _RATE_SECONDS:
            self._samples.popleft()

    @property
    def rate(self) -> float:
        """Positions a second over the last minute."""
        if not self._samples:
            return 0.0
        (began, first), (ended, last) = self._samples[0], self._samples[-1]
        return (last - first) / (ended - began) if ended > began else 0.0


class Feeding:
    """Feeds the generations of some families in this process."""

    def __init__(
        self, models: ReadModels, families: Collection[str], feeder: Callable[[Generation, Entry], Feeder]
    ) -> None:
        self._models = models
        self._families = families
        self._feeder = feeder
        self._wanted = asyncio.Event()
        self._looked = time.monotonic()
        self._fed: dict[Which, Fed] = {}

    def look(self) -> None:
        """Look at the catalog now: something was changed there."""
        self._wanted.set()

    def failing(self, family: str) -> str | None:
        """What keeps the generation that is read from being kept up; None when nothing does."""
        if (since := time.monotonic() - self._looked) > STALE:
            return f"nobody has looked after what is to be fed for {since:.0f} s"
        active = self._models.active(self._models.families[family])
        fed = self._fed.get((family, active.number))
        if fed is None or fed.task is None or fed.task.done():
            return "is not fed"
        return fed.ended or fed.feeder.failing

    def of(self, entry: Entry) -> Fed | None:
        """How a generation is being fed by this process, if it is."""
        return self._fed.get((entry.family, entry.generation))

    async def run(self) -> Never:
        """Feed until cancelled."""
        try:
            while True:
                self._wanted.clear()
                try:
                    await self._look()
                except Exception as error:  # noqa: BLE001, what is fed goes on, and the catalog is looked at again
                    _log.warning("the catalog of generations cannot be read: %r", error)
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK):
                        await self._wanted.wait()
        finally:
            await self._stop(list(self._fed))

    async def stopped(self, entry: Entry) -> None:
        """Return when a generation is fed no more in this process."""
        await self._stop([(entry.family, entry.generation)])

    async def _look(self) -> None:
        entries = await in_thread(self._models.entries)
        self._models.turn(entries)
        self._looked = time.monotonic()
        wanted = {
            (entry.family, entry.generation): entry
            for entry in entries
            if entry.family in self._families and entry.status in FED
        }
        await self._stop([which for which in self._fed if which not in wanted])
        for which, entry in wanted.items():
            generation = await in_thread(self._models.open, entry)
            generation.rebuilding(now=entry.status in _BUILT)
            if which not in self._fed:
                fed = self._fed[which] = Fed(generation, self._feeder(generation, entry))
                fed.task = asyncio.create_task(self._feed(fed, entry))
            if entry.status in _BUILT:
                await in_thread(self._fed[which].sample)

    async def _feed(self, fed: Fed, entry: Entry) -> None:
        backoff = Backoff()
        while True:
            try:
                await fed.feeder.run()
            except Poisoned as error:
                fed.ended = f"stopped at {error}"
                if await in_thread(self._failed, entry, str(error)):
                    self._fed.pop((entry.family, entry.generation), None)
                    return
            except Exception as error:  # noqa: BLE001, a feeder that ends is a fault of ours; it is tried again
                fed.ended = f"{type(error).__name__}: {error}"
                _log.exception("what feeds %s has ended", entry.place)
            else:
                return
            await backoff.pause()
            fed.ended = None

    def _failed(self, entry: Entry, error: str) -> bool:
        """Whether a generation was being built, so that this is the end of it."""
        now = next(found for found in self._models.entries() if found.place == entry.place)
        if now.status not in _BUILT:
            return False  # it is read by now, and parks from the next page on
        _log.error("the building of %s has stopped at %s", entry.place, error)
        self._models.catalog.move(entry, Status.FAILED, among=_BUILT, error=error)
        return True

    async def _stop(self, some: Collection[Which]) -> None:
        stopping = [fed.task for which in some if (fed := self._fed.pop(which, None)) and fed.task]
        for task in stopping:
            task.cancel()
        while stopping:  # some libraries swallow a cancellation: ask again
            _, pending = await asyncio.wait(stopping, timeout=1)
            stopping = list(pending)
            for task in stopping:
                task.cancel()
