"""Keeping the derived tables of a generation up while pages are applied to it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Never

from shared.backoff import Backoff
from shared.projections.generation import Generation
from shared.threads import in_thread

_WHILE_BEHIND: Final = 2.0
"""Seconds between refreshes while catching up: one then does for many pages."""
_LOOK_AGAIN: Final = 5.0
"""Seconds until derived tables are looked after that a member left behind which is no more."""
_REFRESHED_ELSEWHERE: Final = 0.05
_log = logging.getLogger(__name__)


async def refreshed(generation: Generation) -> None:
    """Return when the derived tables have all that was applied before, whichever process saw to it."""
    while not await in_thread(generation.refresh):  # noqa: ASYNC110, another process is waited for
        await asyncio.sleep(_REFRESHED_ELSEWHERE)


class DerivedRefresh:
    """Refreshes after each page at the head, now and then while `behind` says that many are to come.

    `failing` is what keeps it from doing so; the pages need not wait for that.
    """

    def __init__(self, generation: Generation, moved: Callable[[], None]) -> None:
        self.behind = False
        self.failing: str | None = None
        self._generation = generation
        self._moved = moved
        self._applied = asyncio.Event()

    def applied(self) -> None:
        """Pages were applied."""
        self._applied.set()

    async def run(self) -> Never:
        """Refresh until cancelled."""
        backoff = Backoff()
        while True:
            self._applied.clear()
            try:
                await refreshed(self._generation)
            except Exception as error:  # noqa: BLE001, it is tried again
                self.failing = f"{type(error).__name__}: {error}"
                _log.warning("the derived tables of %s wait after %r", self._generation.family.name, error)
                await backoff.pause()
                continue
            backoff.reset()
            self.failing = None
            self._moved()
            if self.behind:
                await asyncio.sleep(_WHILE_BEHIND)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN):
                    await self._applied.wait()
