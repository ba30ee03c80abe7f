"""A generation: one build of a family's version, with its own storage and its own watermarks.

A page of events, what it changes and how far it went are one transaction: after a crash at any point the page is
either wholly there or not at all, and applying it again drops what is there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa

from shared.codec import Codec
from shared.crashpoints import crashpoint
from shared.envelope import Recorded
from shared.errors import RapportError, Refused
from shared.projections import locks, parking
from shared.projections.family import Family
from shared.projections.home import Place
from shared.projections.page import Pages
from shared.projections.progress import STORE, Batch, Mark, Progress, Source
from shared.projections.refresh import Refresher
from shared.projections.replay import Told
from shared.projections.shares import Order, shared
from shared.projections.snapshot import Snapshot, ready
from shared.projections.storage import Storage
from shared.projections.unparking import Unparking
from shared.projections.words import Words
from shared.scan import Scan


class Moved(RapportError):
    """Somebody else has moved a generation."""


@dataclass(frozen=True)
class Held:
    """A generation that nobody else moves meanwhile.

    `take` moves it on by pages, its derived tables too, and shows what it then holds before anybody else sees it.
    `refold` makes the rows about one subject anew, from all its events up to where it is.
    """

    marks: Callable[[], Mapping[Source, Mark]]
    take: Callable[[Sequence[Batch]], Snapshot]
    refold: Callable[[str, Sequence[Recorded]], None]


class Generation:
    """One build of a family. `apply` and `refresh` write; `read` gives snapshots; both may run in threads."""

    def __init__(self, family: Family, number: int, place: Place, codec: Codec, *, rebuild: bool = False) -> None:
        self.family = family
        self.number = number
        self.place = place
        self._storage = Storage(family)
        self._words = Words(self._storage, place)
        self._codec = codec
        self._refresher = Refresher(self._storage, self._words)
        self._pages = Pages(family, self._storage, self._words, codec, rebuild=rebuild)
        self._progress = Progress(self._storage)
        self._lock = threading.Lock()
        self.unparking = Unparking(family, place, self._storage, self._words, self._pages, self._lock)
        self._idle = 0
        self._refreshing = f"{place.name} refresh"
        with place.writer.begin() as db:
            self._storage.create(db)

    @property
    def position(self) -> int:
        """How far readers can see, the derived tables included."""
        return ready(self.marks())

    def marks(self) -> dict[Source, Mark]:
        """The watermark of each source."""
        with self.place.readers.begin() as db:
            return self._marks(db)

    def rebuilding(self, *, now: bool) -> None:
        """Whether an event that cannot be applied stops this build; otherwise it is parked."""
        self._pages.rebuild = now

    @contextmanager
    def still(self) -> Iterator[Held]:
        """Keep this generation where it is, whatever process feeds it, for as long as the context is open."""
        with self._lock, self._writing() as db:
            locks.patient(db)
            self._progress.hold(db)
            yield Held(partial(self._marks, db), partial(self._take, db), partial(self._refold, db))

    def idle(self, position: int) -> None:
        """The store was read up to here without an event for this family; kept in memory until the next page."""
        self._idle = position

    def begin(self, sources: Sequence[Source]) -> None:
        """Have a watermark for sources that are about to be read."""
        with self._lock, self.place.writer.begin() as db:
            self._progress.begin(db, sources)

    def hand_over(self, marks: Sequence[Mark]) -> None:
        """Go on from other sources than before: these watermarks replace those that there were."""
        with self._lock, self.place.writer.begin() as db:
            self._progress.replace(db, marks)

    def apply(self, batches: Sequence[Batch]) -> None:
        """Apply pages in one transaction. Only transient errors come out; others park, or stop a rebuild."""
        with self._lock, self._writing() as db:
            self._apply(db, batches)
        crashpoint("page.committed")

    def replay(self, scan: Scan, *, processes: int = 1, told: Told = lambda _: None) -> None:
        """Go on to the end of a scan at once, in one transaction.

        Raises:
            Moved: it is not where the scan begins.
            RapportError: something has to be parked, or is; only pages, event by event, can see to that.
        """
        end = Batch(*STORE, (), scan.upto, 0)
        order = Order(self.family, self._codec, scan)
        sharing = shared(order, self.place, self._storage, processes, told)
        with self._lock, self.place.roomy(), sharing as shares, self._writing() as db:
            marks = self._progress.locked(db, [end])
            self._check_replayable(db, scan)
            with self._storage.unindexed(db) if shares.empty else nullcontext():
                applied = self._pages.replay(db, scan, shares.part, shares.told)
                applied = shares.added(db, self._storage, self._words, applied)
            crashpoint("replay.folded")
            self._progress.move(db, [end], marks, applied)

    def refresh(self) -> bool:
        """Bring the derived tables up to what was applied before, a transaction per chunk of groups.

        False when another process does it right now: it may have passed what this one applied.
        """
        noted = self.marks()
        for tables in self.family.together:
            after: int | None = -1
            while after is not None:
                with self._lock, self.place.writer.begin() as db:
                    if not locks.taken(db, self._refreshing):
                        return False
                    after = self._refresher.chunk(db, tables, after)
                    crashpoint("refresh.chunk")
                self._words.committed()
        if any(mark.ready < mark.position for mark in noted.values()):
            with self._lock, self.place.writer.begin() as db:
                self._progress.settle(db, noted)
        return True

    def unrefreshed(self) -> int:
        """How many groups of derived tables have yet to follow what was applied."""
        with self.place.readers.begin() as db:
            return max((self._refresher.waiting(db, tables) for tables in self.family.together), default=0)

    @contextmanager
    def read(self) -> Iterator[Snapshot]:
        """A snapshot for queries."""
        with self.place.readers.begin() as db:
            yield Snapshot(db, self.number, self._marks(db), parking.count(db, self._storage))

    def park_unreadable(
        self, topic: str, partition: int, offset: int, *, key: bytes | None, reason: str, payload: bytes | None
    ) -> None:
        """Set a record aside that no event can be made of; a second time changes nothing."""
        with self._lock, self.place.writer.begin() as db:
            parking.park_unreadable(
                db,
                self._storage,
                topic=topic,
                partition=partition,
                offset=offset,
                key=key,
                reason=reason,
                payload=payload,
            )

    def parked(self) -> Sequence[sa.Row[Any]]:
        """Every parked event."""
        with self.place.readers.begin() as db:
            return parking.listed(db, self._storage)

    def parked_count(self) -> int:
        """How many events are parked."""
        with self.place.readers.begin() as db:
            return parking.count(db, self._storage)

    def close(self) -> None:
        """Write down how far the idle store was read, and let go of the place."""
        if self._idle > 0:
            self.apply([Batch(*STORE, (), self._idle, 0)])
        with self._lock:
            self.place.close()

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        try:
            with self.place.writer.begin() as db:
                yield db
        except BaseException:
            self._words.rolled_back()
            raise
        self._words.committed()

    def _refold(self, db: sa.Connection, subject: str, events: Sequence[Recorded]) -> None:
        locks.exclusive(db, self._refreshing)
        if parking.of(db, self._storage, subject):
            raise Refused(f"events of {subject} are parked: see to them first", field="subject", kind="conflict")
        skipped = parking.skipped(db, self._storage, subject)
        self._pages.refold(db, subject, [event for event in events if event.position not in skipped])
        self._take(db, [])

    def _take(self, db: sa.Connection, batches: Sequence[Batch]) -> Snapshot:
        # before anything is touched: whoever holds it may wait for what is touched
        locks.exclusive(db, self._refreshing)
        if batches:
            self._apply(db, batches)
        self._refresher.everything(db, self.family.together)
        self._progress.settle(db, self._progress.marks(db))
        return Snapshot(db, self.number, self._marks(db), parking.count(db, self._storage))

    def _apply(self, db: sa.Connection, batches: Sequence[Batch]) -> None:
        marks = self._progress.locked(db, batches)
        applied = self._pages.apply(db, batches, marks)
        crashpoint("page.folded")
        self._progress.move(db, batches, marks, applied)
        crashpoint("page.marked")

    def _check_replayable(self, db: sa.Connection, scan: Scan) -> None:
        here = self._marks(db)[STORE].position
        if here != scan.after:
            raise Moved(f"{self.place.name} is at {here} and not at {scan.after}")
        if parking.count(db, self._storage):
            raise RapportError(f"events of {self.place.name} are parked")

    def _marks(self, db: sa.Connection) -> dict[Source, Mark]:
        marks = self._progress.marks(db)
        known = marks.get(STORE, Mark(*STORE))
        if known.position == known.ready < self._idle:
            marks[STORE] = known._replace(position=self._idle, ready=self._idle)
        return marks
