"""The operator's hand on generations: start, pause, compare, swap, roll back, drop. Reactions have none of this."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from shared.abreast import Abreast
from shared.comparing import Found, compare
from shared.crashpoints import crashpoint
from shared.envelope import Recorded
from shared.errors import Refused
from shared.feeding import Feeding
from shared.projections import Family, ReadModels
from shared.projections.catalog import DISPOSABLE, Entry, Status, Wish
from shared.store import EventStore
from shared.threads import entered, in_thread

_ELSEWHERE: Final = 2.0
"""Seconds after which every other process has seen what was written into the catalog."""


class Replays:
    """Generations of the families that this process knows; `feeding` is told of every change."""

    def __init__(self, store: EventStore, models: ReadModels, feeding: Feeding) -> None:
        self._store = store
        self._models = models
        self._feeding = feeding

    def family(self, name: str) -> Family:
        """The family of this name, or the one that has a table of this name.

        Raises:
            Refused: there is none; what only reacts to events is nothing that could be replayed.
        """
        families = self._models.families.values()
        for family in families:
            if name == family.name or name in {table.name for table in family.tables}:
                return family
        known = ", ".join(sorted(family.name for family in families))
        raise Refused(
            f"only projections can be replayed, and {name!r} is none of {known}", field="family", kind="missing"
        )

    async def entry(self, family: Family, number: int | None, among: Collection[Status], what: str) -> Entry:
        """One generation: the numbered one, or the newest that a word may be meant for.

        Raises:
            Refused: there is none.
        """
        entries = [e for e in await in_thread(self._models.entries) if e.family == family.name]
        if number is not None:
            entries = [entry for entry in entries if entry.generation == number]
        else:
            entries = [entry for entry in entries if entry.status in among]
        if not entries:
            which = f"generation {number}" if number is not None else "generation that could be meant"
            raise Refused(f"{family.name} has no {which}: nothing to {what}", field="generation", kind="missing")
        return entries[-1]

    async def again(self, entry: Entry) -> Entry:
        """A generation as it is now."""
        entries = await in_thread(self._models.entries)
        return next((e for e in entries if e.place == entry.place), replace(entry, status=Status.DROPPED))

    async def start(self, family: Family, wish: Wish) -> Entry:
        """Build a new generation beside those that there are."""
        head = await self._store.position()
        if wish.until is not None and not wish.after < wish.until <= head:
            raise Refused(f"must be behind {wish.after} and at most the head, {head}", field="until")
        if wish.after > head:
            raise Refused(f"must be at most the head, {head}", field="after")
        entry = await in_thread(self._models.catalog.add, family, wish)
        self._feeding.look()
        return entry

    async def pause(self, entry: Entry) -> None:
        """Stop feeding a generation; it keeps what it has and where it is."""
        await self._move(entry, Status.PAUSED, (Status.BUILDING, Status.AS_OF))
        await self._feeding.stopped(entry)

    async def resume(self, entry: Entry) -> None:
        """Go on with what was paused, or has failed, from where it is."""
        to = Status.AS_OF if entry.wish.partial else Status.BUILDING
        await self._move(entry, to, (Status.PAUSED, Status.FAILED))

    async def drop(self, entry: Entry) -> None:
        """Remove a generation that is not read, and all it holds."""
        await self._move(entry, Status.DROPPED, DISPOSABLE)
        await self._feeding.stopped(entry)
        if self._models.catalog.shared:
            await asyncio.sleep(_ELSEWHERE)
        await in_thread(self._models.drop, entry)

    async def compare(self, family: Family, entry: Entry, limit: int) -> AsyncIterator[dict[str, Any] | Found]:
        """Compare a generation with the active one, both at the same position; yields progress, then what was found.

        Raises:
            Refused: it holds a part of history only, or the two never stand at the same position.
        """
        if entry.wish.partial:
            raise Refused("holds a part of history only, and cannot be compared with the whole", field="generation")
        candidate = await in_thread(self._models.open, entry)
        async with Abreast(self._store, self._models, family, candidate).snapshots() as (left, right):
            tables = []
            for number, table in enumerate(family.tables):
                yield {"progress": {"what": table.name, "done": number, "total": len(family.tables)}}
                tables.append(await in_thread(compare, left, right, table, limit))
        yield Found(left.position, tables)

    async def swap(self, family: Family, entry: Entry, *, among: Collection[Status]) -> float:
        """Have another generation read from now on; for how many seconds nothing could be applied meanwhile.

        Raises:
            Refused: it is not fed, or does not catch up with what is read.
        """
        if entry.wish.partial:
            raise Refused("holds a part of history only, and is never read in place of the whole", field="generation")
        if (now := (await self.again(entry)).status) not in among:
            raise Refused(f"generation {entry.generation} is {now}", field="generation", kind="conflict")
        candidate = await in_thread(self._models.open, entry)

        @contextmanager
        def flipping() -> Iterator[None]:
            with self._models.catalog.activating(family, entry, among=among):
                yield
                crashpoint("swap.still")
            crashpoint("swap.flipped")
            self._models.turn([replace(entry, status=Status.ACTIVE)])
            candidate.rebuilding(now=False)

        seconds = await Abreast(self._store, self._models, family, candidate).flip(flipping)
        self._feeding.look()
        self._models.moved()
        return seconds

    async def refold(self, family: Family, subject: str) -> int:
        """Make the rows about one subject anew in what is read; from how many events.

        Raises:
            Refused: events of it are parked.
        """
        read = await self._store.position()
        events = await self.about(family, subject, 0)
        async with entered(self._models.active(family).still()) as held:
            marks = held.marks()
            events += await self.about(family, subject, read)  # what came while the log was read
            had = {event.position: event for event in events if self._models.applied(marks, event)}
            await in_thread(held.refold, subject, list(had.values()))
        self._models.moved()
        return len(had)

    async def about(self, family: Family, subject: str, after: int) -> list[Recorded]:
        """The events of one subject that a family reads, behind a position."""
        pages = self._store.pages(after, types=family.types)
        return [event async for page in pages for event in page.events if event.subject == subject]

    async def _move(self, entry: Entry, to: Status, among: Collection[Status]) -> None:
        await in_thread(lambda: self._models.catalog.move(entry, to, among=among))
        self._feeding.look()
