"""Unparking: parked events are applied once what was wrong is mended, or one of them is given up for good.

A skip belongs to the generation that it was decided for. A rebuild knows none of them: it stops at the event again and
names it, or applies it where that has become possible.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile

import sqlalchemy as sa

from shared.crashpoints import crashpoint
from shared.envelope import Recorded
from shared.errors import Refused, UnreadableEvent
from shared.projections import locks, parking
from shared.projections.family import Family
from shared.projections.home import Place
from shared.projections.page import TRANSIENT, Pages
from shared.projections.parking import Row
from shared.projections.progress import Applied, Progress
from shared.projections.refresh import Refresher
from shared.projections.storage import Storage
from shared.projections.words import Words


class Unparking:
    """The parked events of one generation; all of it may run in threads."""

    def __init__(
        self, family: Family, place: Place, storage: Storage, words: Words, pages: Pages, lock: threading.Lock
    ) -> None:
        self._family = family
        self._place = place
        self._storage = storage
        self._words = words
        self._pages = pages
        self._lock = lock
        self._progress = Progress(storage)
        self._refresher = Refresher(storage, words)

    def told(self, subject: str | None = None) -> Sequence[Row]:
        """The parked events, of one subject or of all, without their content."""
        with self._place.readers.begin() as db:
            return parking.told(db, self._storage, subject)

    def found(self, name: str) -> Row:
        """One parked event with its content, by the name that `parking.name_of` gives it.

        Raises:
            Refused: it is not parked.
        """
        with self._place.readers.begin() as db:
            return self._found(db, name)

    def since_before(self, instant: str) -> int:
        """How many events were parked before an instant and still are."""
        with self._place.readers.begin() as db:
            return parking.count(db, self._storage, instant)

    def retry(self, subject: str) -> int:
        """Apply the parked events of one subject in order, up to the first that still cannot be; how many those are.

        They, and what is derived of them, are one transaction. No page comes in between: what it brings of the subject
        is parked behind these, or applied after them.
        """
        with self._writing() as db:
            # before anything is touched: whoever holds it may wait for what is touched
            locks.exclusive(db, f"{self._place.name} refresh")
            waiting = parking.of(db, self._storage, subject)
            applied, error = self._apply(db, waiting)
            parking.remove(db, self._storage, waiting[:applied])
            if error is not None:
                self._failed_again(db, waiting[applied], error)
            self._count(db, waiting[:applied])
            self._refresher.everything(db, self._family.together)
            crashpoint("retry.refreshed")
        return applied

    def skip(self, name: str, *, actor: str, reason: str) -> str:
        """Give up one event for good; its subject. What waits behind it goes on waiting, until it is retried.

        Raises:
            Refused: it is not parked, or was never tried, because it waits behind another one.
        """
        with self._writing() as db:
            before = parking.found(db, self._storage.skipped, name)
            if before is not None:  # asked for twice
                return str(before.subject)
            row = self._found(db, name)
            if row.category == parking.HELD:
                raise Refused(
                    f"{name} waits behind another event and was never tried; see to that one first",
                    field="position",
                    kind="conflict",
                )
            parking.skip(db, self._storage, row, actor=actor, reason=reason)
            return str(row.subject)

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """A transaction beside which no page is applied, whatever process feeds this generation."""
        with self._lock:
            try:
                with self._place.writer.begin() as db:
                    self._progress.hold(db)
                    yield db
            except BaseException:
                self._words.rolled_back()
                raise
            self._words.committed()

    def _found(self, db: sa.Connection, name: str) -> Row:
        row = parking.found(db, self._storage.parked, name)
        if row is None:
            raise Refused(f"{name} is not parked in {self._family.name}", field="position", kind="missing")
        return row

    def _apply(self, db: sa.Connection, waiting: Sequence[Row]) -> tuple[int, Exception | None]:
        """How many were applied, and why the next one was not."""
        events = [parking.event_of(row) for row in takewhile(parking.is_event, waiting)]
        if self._fold(db, events) is not None:
            for applied, event in enumerate(events):
                error = self._fold(db, [event])
                if error is not None:
                    return applied, error
        if len(events) < len(waiting):
            return len(events), UnreadableEvent("there is no event in this record; it can only be skipped")
        return len(events), None

    def _fold(self, db: sa.Connection, events: Sequence[Recorded]) -> Exception | None:
        try:
            with db.begin_nested():
                self._pages.fold(db, events)
        except TRANSIENT:
            raise
        except Exception as error:  # noqa: BLE001, as when it was parked
            self._words.rolled_back()
            return error
        return None

    def _failed_again(self, db: sa.Connection, row: Row, error: Exception) -> None:
        secrets = self._pages.secrets(parking.event_of(row)) if parking.is_event(row) else ()
        parking.failed_again(db, self._storage, row, error, secrets)

    def _count(self, db: sa.Connection, rows: Sequence[Row]) -> None:
        """Count events as applied that the watermarks have long passed."""
        marks = self._progress.marks(db)
        sources = [(row.topic, row.partition) for row in rows]
        # what was parked before a hand-over counts where all that was applied before it does
        events = Counter(source if source in marks else min(marks) for source in sources)
        self._progress.move(db, [], marks, Applied(events, touched=False))
