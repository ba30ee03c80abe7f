"""The read models of a process: which generation of each family is read, and how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final
from uuid import UUID

from shared.codec import Codec
from shared.envelope import Recorded
from shared.errors import TooFarBehind
from shared.projections.catalog import ACTIVE, Catalog, name_of
from shared.projections.family import Family
from shared.projections.feed import Feed, Lag, Marks, StoreFeed, Written
from shared.projections.generation import Generation, Snapshot
from shared.projections.home import Home

WAIT_SECONDS: Final = 5.0


class ReadModels:
    """Opens the active generation of every family in a home; `store` is whose events they hold."""

    def __init__(
        self, home: Home, families: Sequence[Family], codec: Codec, store: UUID, feed: Feed | None = None
    ) -> None:
        self._home = home
        self._codec = codec
        self._feed = feed or StoreFeed()
        self._catalog = Catalog(home, store)
        self._active = {family.name: self.open(family, self._catalog.active(family)) for family in families}
        self._moved = asyncio.Event()

    @property
    def generations(self) -> tuple[Generation, ...]:
        """The active generation of each family."""
        return tuple(self._active.values())

    def open(self, family: Family, number: int) -> Generation:
        """One generation of a family, active or not."""
        return Generation(family, number, self._home.place(name_of(family, number)), self._codec)

    def active(self, family: Family) -> Generation:
        """The generation of a family that is read."""
        return self._active[family.name]

    def candidate(self, family: Family) -> Generation:
        """A new generation, built beside the active one and read by nobody yet."""
        return self.open(family, self._catalog.add(family))

    def status(self, generation: Generation) -> str:
        """`active`, or what the catalog says of a generation."""
        active = self._active.get(generation.family.name)
        return ACTIVE if active is generation else self._catalog.status(generation.family, generation.number)

    @contextmanager
    def read(self, family: Family) -> Iterator[Snapshot]:
        """One moment of a family."""
        with self._active[family.name].read() as snapshot:
            yield snapshot

    def position(self, family: Family) -> int:
        """How far a family is."""
        return self._feed.position(self._active[family.name])

    def lag(self, family: Family, head: int) -> Lag:
        """How far a family is behind the store, which ends at `head`."""
        return self._feed.lag(self._active[family.name], head)

    def applied(self, marks: Marks, event: Recorded) -> bool:
        """Whether a generation with these watermarks has had an event."""
        return self._feed.applied(marks, event)

    async def progress(self, wait: float) -> None:
        """Return when any family moved, or after `wait` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._moved.wait()

    def moved(self) -> None:
        """Wake whoever waits for a position."""
        self._moved.set()
        self._moved = asyncio.Event()

    async def reached(self, family: Family, position: int, *, wait: float = WAIT_SECONDS) -> None:
        """Return once a family holds everything up to a position; TooFarBehind after `wait` seconds."""
        await self._until(lambda: self.position(family) >= position, family, position, wait)

    async def shows(self, family: Family, written: Written, *, wait: float = WAIT_SECONDS) -> None:
        """Return once readers of a family see an event; TooFarBehind after `wait` seconds."""
        active = self._active[family.name]
        await self._until(lambda: self._feed.holds(active, written), family, written.position, wait)

    def close(self) -> None:
        """Let go of every generation."""
        for generation in self._active.values():
            generation.close()
        self._catalog.close()

    async def _until(self, there: Callable[[], bool], family: Family, position: int, wait: float) -> None:
        deadline = asyncio.get_running_loop().time() + wait
        while True:
            moved = self._moved  # taken before the look, so that a move in between is not missed
            if await asyncio.to_thread(there):
                return
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                raise TooFarBehind(position, await asyncio.to_thread(self.position, family))
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, self._feed.look_again)):
                    await moved.wait()
