"""Reading every stream by itself, as deciders do, and comparing it with what the whole log gave, as projections do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from shared.chain import Chain
from shared.errors import StoreFailed, UnreadableEvent
from shared.store import EventStore

_AT_ONCE: Final = 100
"""Streams. A server is asked for fewer of them at a time; a file gives them in one query."""


class StreamReads:
    """Compares streams with the log that a chain has taken; `difference` says what is wrong, if anything is."""

    def __init__(self, store: EventStore, chain: Chain) -> None:
        self.difference: str | None = None
        self._store = store
        self._chain = chain

    async def steps(self) -> AsyncGenerator[int, None]:
        """Read them all, up to the first that differs; gives how many are done."""
        streams = list(self._chain.ends)
        for start in range(0, len(streams), _AT_ONCE):
            some = streams[start : start + _AT_ONCE]
            found = await asyncio.gather(*map(self._compared, some))
            self.difference = next(filter(None, found), None)
            if self.difference is not None:
                return
            yield start + len(some)

    async def _compared(self, stream: str) -> str | None:
        try:
            history = await self._store.load(stream)
        except (StoreFailed, UnreadableEvent) as error:
            return f"{stream} cannot be read by itself: {error}"
        version, digest = self._chain.ends[stream]
        # what was appended since the log was read stands behind it
        known = [event for event in history.events if event.position <= self._chain.head]
        last = known[-1].version if known else -1
        if (len(known) - 1, last) != (version, version):
            return f"{stream} ends at version {last} when it is read by itself, at version {version} in the log"
        if known[-1].hash != digest:
            return f"{stream} has another event of version {version} when it is read by itself than in the log"
        return None
