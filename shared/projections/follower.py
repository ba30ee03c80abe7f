"""Keeping a generation up with the store: page by page, for ever, whatever fails on the way."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Final

from shared.errors import RapportError
from shared.projections.generation import Generation, Moved
from shared.projections.page import TRANSIENT
from shared.projections.progress import STORE, Batch, Mark
from shared.projections.shares import processes_for
from shared.store import PAGE_EVENTS, EventStore
from shared.threads import in_thread

log = logging.getLogger(__name__)

_LONGEST_PAUSE: Final = 5.0
_FAR: Final = PAGE_EVENTS
"""Events behind the head, from which on a replay costs a fifth less than the pages; a third less for some thousands."""
_AT_ONCE: Final = 2_000_000
"""Positions that one transaction of a replay goes over: whoever stops it loses no more than the fold of these."""
_REFRESH_SHARE: Final = 0.05
"""How much of the time refreshes of derived tables may take while far behind; at the head they follow each page.

They compute whole histories anew: every two seconds, they took a sixth of the CPU time of an import.
"""
_NEAR_SHARE: Final = 0.5
"""How much of it close to the head, where whoever writes all the time keeps a follower: readers wait for this."""


class Follower:
    """One generation behind one store; `reached` is how far the log was folded, which may be written later.

    With `until` it ends there, and before it begins `after` some position if the generation holds nothing yet.
    """

    def __init__(
        self,
        store: EventStore,
        generation: Generation,
        moved: Callable[[], None],
        *,
        after: int = 0,
        until: int | None = None,
        processes: int = 0,
    ) -> None:
        self._store = store
        self.generation = generation
        self._moved = moved
        self._after = after
        self._until = until
        self._processes = processes
        self.failing: str | None = None
        self.reached = 0
        self._by_pages = False
        self._refreshed = self._refreshing = 0.0

    async def run(self) -> None:
        """Follow until cancelled. Transient errors pause and go on from the stored watermark.

        Raises:
            Poisoned: an event cannot be applied, and the generation is one that this stops.
        """
        pause = 0.1
        while True:
            try:
                if await self._follow():
                    return
            except TRANSIENT as error:
                self.failing = f"{type(error).__name__}: {error}"
                log.warning("%s waits %.1f s after %s", self.generation.family.name, pause, self.failing)
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311, jitter
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def _follow(self) -> bool:
        """Go on from the stored watermark, until a replay is the faster way or, which is told, the end is reached."""
        generation = self.generation
        marks = await in_thread(generation.marks)
        if self._after and STORE not in marks:
            await in_thread(generation.hand_over, [Mark(*STORE, self._after, ready=self._after)])
        after = await self._replayed(marks[STORE].position if STORE in marks else self._after)
        if await self._is_far(after):
            return False
        if self._until is not None:
            return await self._ended(after, self._until)
        async for page in self._store.follow(after, types=generation.family.types):
            if page.events:
                await in_thread(generation.apply, [Batch(*STORE, page.events, page.position, 0)])
            else:
                generation.idle(page.position)
            self.failing = None
            if await self._is_far(page.position):
                return False
        raise RapportError("what never ends has ended")

    async def _ended(self, after: int, until: int) -> bool:
        """Apply what is left up to the end."""
        async for page in self._store.pages(after, types=self.generation.family.types):
            events = [event for event in page.events if event.position <= until]
            self.reached = min(page.position, until)
            await in_thread(self.generation.apply, [Batch(*STORE, events, self.reached, 0)])
            self.failing = None
            if self.reached == until:
                break
        await in_thread(self.generation.refresh)
        self._moved()
        return True

    async def _head(self) -> int:
        head = await self._store.position()
        return head if self._until is None else min(head, self._until)

    async def _is_far(self, after: int) -> bool:
        """See to what follows from being here; whether a replay should go on."""
        self.reached = after
        behind = await self._head() - after
        started = time.monotonic()
        share = _REFRESH_SHARE if behind > _FAR else _NEAR_SHARE
        if not behind or started >= self._refreshed + self._refreshing / share:
            await in_thread(self.generation.refresh)
            ended = time.monotonic()
            self._refreshed, self._refreshing = ended, ended - started
        if not behind:  # whoever has only looked may fail again when it writes
            self.failing = None
        self._moved()
        return behind > _FAR and not self._by_pages

    async def _replayed(self, after: int) -> int:
        """Work off what is far more than a page at once; how far that went."""
        upto = min(await self._head(), after + _AT_ONCE)
        if upto - after <= _FAR or self._by_pages:
            return after
        scan = self._store.scan(after, upto)
        if scan is None:
            self._by_pages = True
            return after
        task = asyncio.current_task()

        def told(done: int) -> None:
            self.reached = done
            if task is not None and task.cancelling():  # or whoever stops the process would wait for all of it
                raise RapportError("the replay is not wanted any more")

        processes = self._processes or processes_for(self.generation.family, upto - after)
        try:
            await in_thread(self.generation.replay, scan, processes=processes, told=told)
        except TRANSIENT:
            raise
        except Moved:  # a swap has brought it further
            return after
        except Exception as error:  # noqa: BLE001, pages find the event and park it
            log.warning("%s goes on page by page after %r", self.generation.family.name, error)
            self._by_pages = True
            return after
        self.failing = None
        return upto
