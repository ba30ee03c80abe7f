"""Keeping a generation up with the store: page by page, for ever, whatever fails on the way."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Final

from shared.projections.generation import STORE, Generation
from shared.projections.page import TRANSIENT
from shared.projections.progress import Batch
from shared.store import EventStore
from shared.threads import in_thread

log = logging.getLogger(__name__)

_LONGEST_PAUSE: Final = 5.0
_REFRESH_EVERY: Final = 2.0
"""Seconds between refreshes of derived tables while catching up; at the head they follow each page."""


class Follower:
    """One generation behind one store."""

    def __init__(self, store: EventStore, generation: Generation, moved: Callable[[], None]) -> None:
        self._store = store
        self.generation = generation
        self._moved = moved
        self.failing: str | None = None

    async def run(self) -> None:
        """Follow until cancelled. Transient errors pause and go on from the stored watermark."""
        pause = 0.1
        while True:
            try:
                await self._follow()
            except TRANSIENT as error:
                self.failing = f"{type(error).__name__}: {error}"
                log.warning("%s waits %.1f s after %s", self.generation.family.name, pause, self.failing)
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311, jitter
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def _follow(self) -> None:
        generation = self.generation
        marks = await in_thread(generation.marks)
        after = marks[STORE].position if STORE in marks else 0
        await in_thread(generation.refresh)
        refreshed = time.monotonic()
        async for page in self._store.follow(after, types=generation.family.types):
            if page.events:
                await in_thread(generation.apply, [Batch(*STORE, page.events, page.position, 0)])
                at_head = page.position >= await self._store.position()
                if at_head or time.monotonic() - refreshed > _REFRESH_EVERY:
                    await in_thread(generation.refresh)
                    refreshed = time.monotonic()
            else:
                await in_thread(generation.refresh)
                generation.idle(page.position)
            self.failing = None
            self._moved()
