"""A generation beside the one that is read: brought as far as that one, to be compared with it or to take its place."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, suppress
from typing import Final

from shared.envelope import Recorded
from shared.errors import Refused
from shared.projections import Family, ReadModels, Snapshot
from shared.projections.feed import Marks
from shared.projections.generation import Generation, Held
from shared.projections.page import Poisoned
from shared.projections.progress import STORE, Batch, Source
from shared.store import EventStore, Page
from shared.threads import entered, in_thread

_SOME_TIME: Final = 120.0
"""Seconds in which what one generation has must have come to another one that is fed beside it."""
_NEAR: Final = 10_000
"""Events that a candidate may lack, or groups; it is given them here, more are for whoever feeds it."""


class _TooLate(Exception):
    """What is read has gone on."""


class Abreast:
    """A candidate and the generation of its family that is read."""

    def __init__(self, store: EventStore, models: ReadModels, family: Family, candidate: Generation) -> None:
        self._store = store
        self._models = models
        self._types = family.types
        self._active = models.active(family)
        self._candidate = candidate

    @asynccontextmanager
    async def snapshots(self) -> AsyncIterator[tuple[Snapshot, Snapshot]]:
        """What is read and the candidate, both at the same position.

        Raises:
            Refused: they do not come as far as each other.
        """
        async for _ in self._tries():
            if not await self._is_near():
                continue
            async with entered(self._candidate.still()) as held:
                marks = await in_thread(held.marks)
                async with self._reaching(marks) as active:
                    missing = await self._between(marks, active.marks)
                    if missing is not None:
                        yield active, await self._taken(held, missing)
                        return
        raise self._behind()

    async def flip(self, flipping: Callable[[], AbstractContextManager[None]]) -> float:
        """Enter and leave `flipping`, which flips the row, as soon as readers of the candidate see all that is read.

        Whoever writes all the time keeps both feeders busy, and they never stand at one position. So the candidate is
        brought to the head of the log: what is read is there only after its next page, and until then it can be left.
        Gives the seconds for which nothing could be applied to what was read.

        Raises:
            Refused: the candidate does not come as far as what is read.
        """
        async for _ in self._tries():
            if await self._is_near() and await self._is_brought_to_head():
                seconds = await in_thread(self._flip, flipping)
                if seconds is not None:
                    return seconds
        raise self._behind()

    def _flip(self, flipping: Callable[[], AbstractContextManager[None]]) -> float | None:
        with ExitStack() as holding, suppress(_TooLate):
            with flipping():
                active = holding.enter_context(self._active.still())
                began = time.perf_counter()
                if _lacking(self._candidate.marks(), active.marks()):
                    raise _TooLate
            return time.perf_counter() - began
        return None

    async def _is_brought_to_head(self) -> bool:
        async with entered(self._candidate.still()) as held:
            coming = await self._coming(await in_thread(held.marks), await in_thread(self._active.marks))
            if coming is not None:
                await self._taken(held, coming)
        return coming is not None

    async def _taken(self, held: Held, batches: Sequence[Batch]) -> Snapshot:
        try:
            return await in_thread(held.take, batches)
        except Poisoned as error:
            raise self._behind(f" It cannot apply {error}") from error

    async def _is_near(self) -> bool:
        """Whether little is left to give the candidate, and to compute of what it has."""
        if await in_thread(self._candidate.unrefreshed) > _NEAR:
            return False
        marks, others = await in_thread(self._candidate.marks), await in_thread(self._active.marks)
        return await self._between(marks, others) is not None

    @asynccontextmanager
    async def _reaching(self, marks: Marks) -> AsyncIterator[Snapshot]:
        """A moment of what is read in which it has all that the candidate has."""
        async for _ in self._tries():
            async with entered(self._active.read()) as snapshot:
                if snapshot.settled and not _lacking(snapshot.marks, marks):
                    yield snapshot
                    return
        raise Refused("what is read does not come as far", field="generation", kind="conflict")

    async def _between(self, marks: Marks, others: Marks) -> list[Batch] | None:
        """What others have had and one has not, by sources; None if that is too much, or not to be told yet."""
        if not _alike(marks, others):
            return None
        lacking = _lacking(marks, others)
        missing: dict[Source, list[Recorded]] = {source: [] for source in lacking}
        upto = max((others[source].position for source in lacking), default=0)
        async for page in self._behind_all(lacking.values()):
            for event in page.events:
                if self._models.applied(others, event) and not self._models.applied(marks, event):
                    missing[self._models.source(others, event)].append(event)
            if _count(missing) > _NEAR:
                return None
            if page.position >= upto:
                break
        return [Batch(*source, events, others[source].position, 0) for source, events in missing.items()]

    async def _coming(self, marks: Marks, others: Marks) -> list[Batch] | None:
        """All that one has not had, by sources, at least what others have had; None if that is too much.

        A source is left out whose watermark lies before what was read: something of it may stand in between.
        """
        if not _alike(marks, others):
            return None
        newest = max((mark.position for mark in marks.values()), default=0)
        after = [position for source, position in _lacking(marks, others).items() if source in marks] or [newest]
        missing: dict[Source, list[Recorded]] = {
            source: [] for source, mark in marks.items() if mark.position >= min(after)
        }
        reached = newest
        async for page in self._behind_all(after):
            for event in page.events:
                source = self._models.source(marks, event)
                if source in missing and not self._models.applied(marks, event):
                    missing[source].append(event)
            if _count(missing) > _NEAR:
                return None
            reached = page.position
        ends = {source: events[-1].position for source, events in missing.items() if events}
        if STORE in missing:  # whose end is known although nothing there may be for this family
            ends[STORE] = reached
        return [Batch(*source, missing[source], end, 0) for source, end in ends.items()]

    async def _behind_all(self, positions: Iterable[int]) -> AsyncIterator[Page]:
        """The log behind the first of some positions; nothing if there are none."""
        if found := list(positions):
            async for page in self._store.pages(max(min(found), 0), types=self._types):
                yield page

    async def _tries(self) -> AsyncIterator[None]:
        """Try, and again whenever something was applied, for some time."""
        deadline = time.monotonic() + _SOME_TIME
        while time.monotonic() < deadline:
            yield
            await self._models.progress(0.01)

    def _behind(self, why: str = "") -> Refused:
        return Refused(
            f"generation {self._candidate.number} does not catch up with what is read.{why}",
            field="generation",
            kind="conflict",
        )


def _alike(marks: Marks, others: Marks) -> bool:
    """Whether both are fed from the same kind of sources; the same events would come from two to one of them else."""
    return (STORE in marks) == (STORE in others)


def _lacking(marks: Marks, others: Marks) -> dict[Source, int]:
    """The sources of which readers of one generation see less than another one holds, and how far they see them."""
    reached = {source: marks[source].ready if source in marks else -1 for source in others}
    return {source: position for source, position in reached.items() if position < others[source].position}


def _count(events: dict[Source, list[Recorded]]) -> int:
    return sum(map(len, events.values()))
