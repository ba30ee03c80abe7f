"""The read models of a process: which generation of each family is read, and how far it is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final
from uuid import UUID

from shared.codec import Codec
from shared.envelope import Recorded
from shared.errors import TooFarBehind
from shared.projections.catalog import Catalog, Entry, Status
from shared.projections.family import Family
from shared.projections.feed import Feed, Lag, Marks, StoreFeed, Written
from shared.projections.generation import Generation
from shared.projections.home import Home, Place
from shared.projections.progress import Source
from shared.projections.snapshot import Snapshot

WAIT_SECONDS: Final = 5.0


class ReadModels:
    """Opens the active generation of every family in a home; `store` is whose events they hold, `make` opens one."""

    def __init__(
        self,
        home: Home,
        families: Sequence[Family],
        codec: Codec,
        store: UUID,
        feed: Feed | None = None,
        make: Callable[[Family, int, Place, Codec], Generation] = Generation,
    ) -> None:
        self.families = {family.name: family for family in families}
        self.catalog = Catalog(home, store)
        self._home = home
        self._codec = codec
        self._make = make
        self._feed = feed or StoreFeed()
        self._opened: dict[str, Generation] = {}
        self._opening = threading.Lock()
        self._active = {family.name: self.open(self.catalog.active(family)) for family in families}
        self._moved = asyncio.Event()

    @property
    def generations(self) -> tuple[Generation, ...]:
        """The active generation of each family."""
        return tuple(self._active.values())

    def open(self, entry: Entry) -> Generation:
        """One generation, read or not; it stays open until it is dropped or all are closed."""
        with self._opening:
            if entry.place not in self._opened:
                family = self.families[entry.family]
                place = self._home.place(entry.place)
                self._opened[entry.place] = self._make(family, entry.generation, place, self._codec)
            return self._opened[entry.place]

    def active(self, family: Family) -> Generation:
        """The generation of a family that is read."""
        return self._active[family.name]

    def entries(self) -> list[Entry]:
        """The generations of the versions that this process reads."""
        versions = {family.name: family.version for family in self.families.values()}
        return [entry for entry in self.catalog.entries() if versions.get(entry.family) == entry.version]

    def turn(self, entries: Sequence[Entry]) -> None:
        """Read from the generations that the catalog says are active."""
        for entry in entries:
            if entry.status == Status.ACTIVE and self._active[entry.family].number != entry.generation:
                self._active[entry.family] = self.open(entry)

    def drop(self, entry: Entry) -> None:
        """Let go of a generation and remove what it holds; nobody may use it any more."""
        with self._opening:
            opened = self._opened.pop(entry.place, None)
            if opened is not None:
                opened.close()
            self._home.drop(entry.place)

    @contextmanager
    def read(self, family: Family) -> Iterator[Snapshot]:
        """One moment of a family."""
        while True:
            generation = self._active[family.name]
            with generation.read() as snapshot:
                # Another process may have flipped the row: the transaction that reads must see it, none before.
                if not self.catalog.shared or snapshot.execute(self.catalog.who_is_active(family)).scalar_one() == (
                    generation.number
                ):
                    yield snapshot
                    return
            self.turn(self.entries())

    def position(self, family: Family) -> int:
        """How far a family is."""
        return self._feed.position(self._active[family.name])

    def position_of(self, entry: Entry) -> int:
        """How far a generation is, read or not."""
        return self._feed.position(self.open(entry))

    def lag(self, family: Family, head: int) -> Lag:
        """How far a family is behind the store, which ends at `head`."""
        return self._feed.lag(self._active[family.name], head)

    def applied(self, marks: Marks, event: Recorded) -> bool:
        """Whether a generation with these watermarks has had an event."""
        return self._feed.applied(marks, event)

    def source(self, marks: Marks, event: Recorded) -> Source:
        """From where a generation with these watermarks has an event."""
        return self._feed.source(marks, event)

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
        for generation in self._opened.values():
            generation.close()
        self.catalog.close()

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
