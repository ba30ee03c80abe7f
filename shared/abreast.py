"""A generation beside the one that is read: brought as far as that one, to be compared with it or to take its place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Final

from shared.envelope import Recorded
from shared.errors import Refused
from shared.projections import Family, ReadModels, Snapshot
from shared.projections.feed import Marks
from shared.projections.generation import Generation, Held
from shared.projections.page import Poisoned
from shared.projections.progress import STORE, Batch, Source
from shared.store import EventStore
from shared.threads import entered, in_thread

_SOME_TIME: Final = 60.0
"""Seconds in which what one generation has must have come to another one that is fed beside it."""
_AT_MOST: Final = 0.03
"""Seconds that what is read may have been kept from being fed when its row is flipped."""
_NEAR: Final = 10_000
"""Events that a candidate may lack, and is given here; more are for whoever feeds it."""
_FEW: Final = 100
"""Events that it may lack when what is read is kept from being fed."""


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
        await self._near()
        async with entered(self._candidate.still()) as held, self._reaching(await in_thread(held.marks)) as active:
            try:
                candidate = await in_thread(self._take, asyncio.get_running_loop(), held, active.marks, _NEAR)
            except Poisoned as error:
                raise self._behind(f" It cannot apply {error}") from error
            if candidate is None:
                raise self._behind()
            yield active, candidate

    async def flip(self, flip: Callable[[], None]) -> float:
        """Call `flip` when readers of the candidate see all that is read; for how many seconds nothing was applied.

        Raises:
            Refused: the candidate does not come as far as what is read.
        """
        async for _ in self._tries():
            if await self._is_near():
                try:
                    seconds = await in_thread(self._flip, asyncio.get_running_loop(), flip)
                except Poisoned as error:
                    raise self._behind(f" It cannot apply {error}") from error
                if seconds is not None:
                    return seconds
        raise self._behind()

    def _flip(self, loop: asyncio.AbstractEventLoop, flip: Callable[[], None]) -> float | None:
        with ExitStack() as holding:
            # Whoever writes all the time keeps both feeders busy, and they never stand at one position: the candidate
            # is brought near while what is read goes on, and the rest of the way while that stands still.
            with self._candidate.still() as held:
                self._take(loop, held, self._active.marks(), _NEAR)
                active = holding.enter_context(self._active.still())
                began = time.perf_counter()
                if self._take(loop, held, active.marks(), _FEW) is None:
                    return None
            if time.perf_counter() - began > _AT_MOST:
                return None
            flip()
            return time.perf_counter() - began

    def _take(self, loop: asyncio.AbstractEventLoop, held: Held, others: Marks, at_most: int) -> Snapshot | None:
        """Give the candidate what it lacks of what others have; None when that is too much for here."""
        coming = asyncio.run_coroutine_threadsafe(self._between(held.marks(), others, at_most), loop)
        batches = coming.result()
        return None if batches is None else held.take(batches)

    async def _near(self) -> None:
        async for _ in self._tries():
            if await self._is_near():
                return
        raise self._behind()

    async def _is_near(self) -> bool:
        marks, others = await in_thread(self._candidate.marks), await in_thread(self._active.marks)
        return await self._between(marks, others, _NEAR) is not None

    @asynccontextmanager
    async def _reaching(self, marks: Marks) -> AsyncIterator[Snapshot]:
        """A moment of what is read in which it has all that the candidate has."""
        async for _ in self._tries():
            async with entered(self._active.read()) as snapshot:
                if snapshot.settled and not _lacking(snapshot.marks, marks):
                    yield snapshot
                    return
        raise Refused("what is read does not come as far", field="generation", kind="conflict")

    async def _between(self, marks: Marks, others: Marks, at_most: int) -> list[Batch] | None:
        """What others have had and one has not, by sources; None if that is too much, or not to be told yet."""
        if (STORE in marks) != (STORE in others):
            return None  # one of them is being built from the store: the same events would come from two sources
        lacking = _lacking(marks, others)
        missing: dict[Source, list[Recorded]] = {source: [] for source in lacking}
        if not missing:
            return []
        upto, count = max(others[source].position for source in lacking), 0
        async for page in self._store.pages(max(min(lacking.values()), 0), types=self._types):
            for event in page.events:
                if self._models.applied(others, event) and not self._models.applied(marks, event):
                    missing[self._models.source(others, event)].append(event)
                    count += 1
            if count > at_most:
                return None
            if page.position >= upto:
                break
        return [Batch(*source, events, others[source].position, 0) for source, events in missing.items()]

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


def _lacking(marks: Marks, others: Marks) -> dict[Source, int]:
    """The sources of which readers of one generation see less than another one holds, and how far they see them."""
    reached = {source: marks[source].ready if source in marks else -1 for source in others}
    return {source: position for source, position in reached.items() if position < others[source].position}
