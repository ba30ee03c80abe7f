"""A generation: one build of a family's version, with its own storage and its own watermarks.

A page of events, what it changes and how far it went are one transaction: after a crash at any point the page is
either wholly there or not at all, and applying it again drops what is there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from shared.codec import Codec
from shared.crashpoints import crashpoint
from shared.projections import database, parking
from shared.projections.family import Family
from shared.projections.page import Pages
from shared.projections.progress import Batch, Mark, Progress
from shared.projections.refresh import Refresher
from shared.projections.storage import Storage
from shared.projections.words import Words


class Snapshot:
    """One moment of a generation, for any number of queries."""

    def __init__(self, db: sa.Connection, position: int, *, settled: bool, applied: int, parked: int) -> None:
        self._db = db
        self.position = position
        self.settled = settled
        """Whether the derived tables have everything that the sums and documents have."""
        self.applied = applied
        self.parked = parked

    def execute(self, statement: sa.Executable, parameters: dict[str, Any] | None = None) -> sa.CursorResult[Any]:
        """Run a query on the readable views."""
        return self._db.execute(statement, parameters or {})


class Generation:
    """One build of a family. `apply` and `refresh` write; `read` gives snapshots; both may run in threads."""

    def __init__(self, family: Family, number: int, path: Path, codec: Codec, *, rebuild: bool = False) -> None:
        self.family = family
        self.number = number
        self.path = path
        self._storage = Storage(family)
        self._words = Words(self._storage)
        self._refresher = Refresher(self._storage, self._words)
        self._pages = Pages(family, self._storage, self._words, codec, rebuild=rebuild)
        self._progress = Progress(self._storage)
        self._lock = threading.Lock()
        self._writer = database.writer(path)
        with self._writer.begin() as db:
            self._storage.create(db)
        self._readers = database.reader(path)
        self._idle = 0

    @property
    def position(self) -> int:
        """How far readers can see, the derived tables included."""
        with self._readers.begin() as db:
            return max(self._progress.ready(db), self._idle)

    def marks(self) -> dict[tuple[str, int], Mark]:
        """The stored watermark of each source."""
        with self._readers.begin() as db:
            return self._progress.marks(db)

    def idle(self, position: int) -> None:
        """The source was read up to here without an event for this family; kept in memory until the next page."""
        self._idle = position

    def apply(self, batches: Sequence[Batch]) -> None:
        """Apply pages in one transaction. Only transient errors come out; others park, or stop a rebuild."""
        with self._lock:
            try:
                with self._writer.begin() as db:
                    applied = self._pages.apply(db, batches, self._progress.marks(db))
                    crashpoint("page.folded")
                    self._progress.move(db, batches, applied)
                    crashpoint("page.marked")
            except BaseException:
                self._words.rolled_back()
                raise
            self._words.committed()
        crashpoint("page.committed")

    def refresh(self) -> None:
        """Bring the derived tables up to what was applied, a transaction per chunk of groups."""
        for table in self.family.derived:
            while True:
                with self._lock, self._writer.begin() as db:
                    done = self._refresher.chunk(db, table)
                    crashpoint("refresh.chunk")
                    self._progress.set_ready(db)
                self._words.committed()
                if not done:
                    break

    @contextmanager
    def read(self) -> Iterator[Snapshot]:
        """A snapshot for queries."""
        idle = self._idle
        with self._readers.begin() as db:
            yield Snapshot(
                db,
                max(self._progress.ready(db), idle),
                settled=not self._progress.unsettled(db),
                applied=self._progress.applied(db),
                parked=parking.count(db, self._storage),
            )

    def park_unreadable(
        self, topic: str, partition: int, offset: int, *, key: bytes | None, reason: str, payload: bytes | None
    ) -> None:
        """Set a record aside that no event can be made of; a second time changes nothing."""
        with self._lock, self._writer.begin() as db:
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
        with self._readers.begin() as db:
            return parking.listed(db, self._storage)

    def parked_count(self) -> int:
        """How many events are parked."""
        with self._readers.begin() as db:
            return parking.count(db, self._storage)

    def close(self) -> None:
        """Write down how far the idle source was read, and let go of the file."""
        with self._lock:
            if self._idle > 0:
                with self._writer.begin() as db:
                    mark = self._progress.marks(db).get(("", 0))
                    if mark is None or mark.position < self._idle:
                        self._progress.move(db, [Batch("", 0, (), self._idle, 0)], 0)
            self._readers.dispose()
            self._writer.dispose()
