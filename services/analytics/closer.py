"""The closer: after midnight it says what the day that ended has changed, once, whatever crashes or runs beside it.

It is a reaction: nothing replays it. All it keeps is in the log. The stream of a day holds what was said of it, and its
last event closes it; what a close that was cut short has left unsaid is the difference to what the log says by now.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Any, Final, Never, cast
from uuid import uuid5
from zoneinfo import ZoneInfo

from services.analytics import books, model_versions, registry, standing
from services.analytics.events import DayClosed
from services.analytics.purchase_days import family as purchases
from shared.backoff import Backoff
from shared.clock import business_day, date_of, stamp
from shared.crashpoints import crashpoint
from shared.decider import Context, Log, drafts
from shared.envelope import Head
from shared.errors import Conflict, RapportError
from shared.events import Event
from shared.ids import NS
from shared.projections import ReadModels
from shared.service import Platform
from shared.threads import in_thread

ACTOR: Final = "service:analytics"
_LOOK_AGAIN: Final = 30.0
"""Seconds between two looks at the clock."""
_WAIT: Final = 30.0
"""Seconds that the read models have to reach the head before the closer goes on trying."""
_CHUNK: Final = 500
"""Events in one append."""
_LONGEST_PAUSE: Final = 300.0
_log = logging.getLogger(__name__)


def stream_of(day: int) -> str:
    """The stream that holds what was said of a day."""
    return f"day-{date_of(day).isoformat()}"


async def run(here: Platform) -> Never:
    """Close days as they end, for ever; what fails is tried again."""
    closer = Closer(here.log, here.models)
    backoff = Backoff(_LONGEST_PAUSE)
    while True:
        try:
            await closer.close_ended()
        except Exception as error:  # noqa: BLE001, whatever it is, the day is not closed and must be
            _log.warning("a day stays open for now: %r", error)
            await backoff.pause()
            continue
        backoff.reset()
        await asyncio.sleep(_LOOK_AGAIN)


class Closer:
    """Closes the business days of one installation; any number of them may work side by side."""

    def __init__(self, log: Log, models: ReadModels) -> None:
        self._log = log
        self._models = models
        self._closed: int | None = None

    async def close_ended(self) -> list[int]:
        """Close the days that have ended, in order; gives those that this closer closed.

        The first one of all is yesterday, if the installation was there: imported history is no day of its own. After
        that no day is left out.

        Raises:
            TooFarBehind: a read model does not have everything that was there after midnight.
            Conflict, SubjectIsErased, StoreFailed: the world moved on while the day was being closed.
        """
        today = business_day(self._log.clock(), self._log.timezone)
        if self._closed == today - 1:
            return []
        head = await self._log.store.position()
        if not head:
            return []
        await self._reached(head)
        first = await in_thread(self._first_open)
        if first is None:
            first = max(await self._installed(), today - 1)
        done = [day for day in range(first, today) if await self._close(day, head)]
        self._closed = today - 1
        return done

    async def _close(self, day: int, head: int) -> bool:
        """Say what is left to say of a day; whether it was this closer that closed it.

        Either way the read models then have it: the next day is told from this one.
        """
        stream = stream_of(day)
        history = await self._log.store.load(stream)
        heard = [self._log.codec.decode(recorded) for recorded in history.events]
        if heard and isinstance(heard[-1], DayClosed):
            await self._reached(history.position)
            return False
        ended = _end_of(day, self._log.timezone)
        saying = await in_thread(self._saying, day, head, heard)
        place, position = history.head, history.position
        try:
            while chunk := await in_thread(lambda: list(islice(saying, _CHUNK))):
                place, position = await self._append(stream, place, chunk, ended)
                crashpoint("day.chunk")
        except Conflict:
            _log.info("%s is being closed by another process", stream)
            raise
        await self._reached(position)
        return True

    def _saying(self, day: int, head: int, heard: Sequence[Event]) -> Iterator[Event]:
        with self._models.read(purchases) as bought, self._models.read(standing.family) as said:
            if said.parked:
                raise RapportError(f"{said.parked} events of the day closes are parked: what was said is not known")
            opened = books.opened(bought, said, day, heard)
        return books.closing(opened, day, head, heard)

    async def _append(self, stream: str, head: Head, events: Sequence[Event], ended: datetime) -> tuple[Head, int]:
        """Append a chunk where the stream ended when it was read; where it ends now, and at which position."""
        log = self._log
        about = [(event, event.subject(stream)) for event in events]
        await log.keyring.ready({subject for _, subject in about}, make=True)
        name = f"{stream}/{head.version + 1}"
        context = Context(ACTOR, uuid5(NS, name))
        times = stamp(ended), stamp(log.clock())
        added = await in_thread(drafts, log, stream, about, times, name.encode(), context)
        recorded = await log.store.append(stream, head, added)
        return Head(recorded[-1].version, recorded[-1].hash), recorded[-1].position

    async def _reached(self, position: int) -> None:
        for family in (purchases, standing.family):
            await self._models.reached(family, position, wait=_WAIT)

    def _first_open(self) -> int | None:
        with self._models.read(purchases) as bought, self._models.read(standing.family) as said:
            moved = registry.first_open(said)
            return model_versions.first_fit(bought) if moved is None else moved

    async def _installed(self) -> int:
        """The business day on which the first event was recorded."""
        pages = cast("Any", self._log.store.pages(0))
        async with aclosing(pages):
            async for page in pages:
                if page.events:
                    recorded_at = datetime.fromisoformat(page.events[0].meta.recorded_at)
                    return business_day(recorded_at, self._log.timezone)
        raise RapportError("the log has a position but no event")


def _end_of(day: int, timezone: str) -> datetime:
    """The instant at which a business day is over."""
    midnight = datetime.combine(date_of(day) + timedelta(days=1), time(), ZoneInfo(timezone))
    return midnight.astimezone(UTC)
