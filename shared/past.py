"""The past: what was so by a day, and what was known at a position of the log.

Two questions that go together. `as_of` is a business day, inclusive: what had happened by then, as we know it today.
`known_at` is a position: what we knew when that was the last one, whichever day it tells of.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, time
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

from shared.clock import date_of, stamp
from shared.codec import Codec
from shared.envelope import Recorded
from shared.projections import Document, documents
from shared.store import EventStore


@dataclass(frozen=True)
class Past:
    """From where to look: a day and a position, of which None does not limit what is seen."""

    as_of: int | None = None
    known_at: int | None = None

    def knew(self, position: int) -> bool:
        """Whether what stands at a position was known."""
        return self.known_at is None or position <= self.known_at

    def had(self, day: int) -> bool:
        """Whether a day had come."""
        return self.as_of is None or day <= self.as_of

    def end(self, timezone: str) -> str | None:
        """The instant before which everything of its day lies, as it is stored."""
        if self.as_of is None:
            return None
        return stamp(datetime.combine(date_of(self.as_of + 1), time.min, ZoneInfo(timezone)))


NOW = Past()


def folded(document: Document[Any], events: Iterable[Recorded], codec: Codec, row: Any = None) -> Any:
    """The row that a document makes of one subject's events, going on from `row`; None where it makes none."""
    for event in events:
        if event.type in document.handlers:
            row = documents.after(document, row, event, codec)
    return row


async def position_at(store: EventStore, moment: datetime) -> int:
    """The position of the last event that was recorded at a moment or before it, 0 when there is none.

    Positions are given out in the order of recording, but for events that were decided in the same instant or by
    processes whose clocks differ: then it is one position in between, the same one whenever it is asked for.
    """
    until = stamp(moment)
    head = await store.position()
    low, high = 0, 1 << head.bit_length()
    while low < high:
        middle = (low + high) // 2
        page = await _behind(store, middle) if middle < head else []
        by_then = list(takewhile(lambda event: event.meta.recorded_at <= until, page))
        if not by_then:
            high = middle
        elif len(by_then) < len(page):
            return by_then[-1].position
        else:
            low = by_then[-1].position
    return low


async def _behind(store: EventStore, position: int) -> list[Recorded]:
    """The events that follow a position, as many as come at once."""
    async with aclosing(store.pages(position)) as pages:  # type: ignore[type-var]
        async for page in pages:
            if page.events:
                return page.events
    return []
