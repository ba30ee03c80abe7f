"""A generation: one build of a family's version, with its own storage and its own watermarks.

A page of events, what it changes and how far it went are one transaction: after a crash at any point the page is
either wholly there or not at all, and applying it again drops what is there.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import sqlalchemy as sa

from shared.codec import Codec
from shared.crashpoints import crashpoint
from shared.envelope import Recorded
from shared.errors import RapportError
from shared.projections import bulk, database, documents, parking
from shared.projections.family import Family
from shared.projections.fold import Addition, Plan
from shared.projections.refresh import Refresher
from shared.projections.storage import Storage
from shared.projections.words import Words

TRANSIENT: Final = (sa.exc.OperationalError, sa.exc.InterfaceError, sqlite3.OperationalError, OSError, MemoryError)
"""What passes when the disk, the lock or the connection comes back: retried for ever, never parked."""


class Batch(NamedTuple):
    """Events of one source in order, and how far the source was read for them."""

    topic: str
    partition: int
    events: Sequence[Recorded]
    position: int
    next_offset: int


class Mark(NamedTuple):
    """How far a source was applied."""

    topic: str
    partition: int
    position: int
    next_offset: int


class Poisoned(RapportError):
    """A rebuild met an event that cannot be applied; it stops, and names it."""


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
        self._codec = codec
        self._rebuild = rebuild
        self._storage = Storage(family)
        self._words = Words(self._storage)
        self._refresher = Refresher(self._storage, self._words)
        self._plans = {type_: Plan(type_, family.sums) for type_ in _types_of_sums(family)}
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
            return max(self._ready(db), self._idle)

    def marks(self) -> dict[tuple[str, int], Mark]:
        """The stored watermark of each source."""
        with self._readers.begin() as db:
            return self._marks(db)

    def idle(self, position: int) -> None:
        """The source was read up to here without an event for this family; kept in memory until the next page."""
        self._idle = position

    def apply(self, batches: Sequence[Batch]) -> None:
        """Apply pages in one transaction. Only transient errors come out; others park, or stop a rebuild."""
        with self._lock:
            try:
                with self._writer.begin() as db:
                    applied = self._apply(db, batches)
                    crashpoint("page.folded")
                    self._move(db, batches, applied)
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
                    self._set_ready(db)
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
                max(self._ready(db), idle),
                settled=not self._any_touched(db),
                applied=self._state(db, "applied"),
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
                    mark = self._marks(db).get(("", 0))
                    if mark is None or mark.position < self._idle:
                        self._move(db, [Batch("", 0, (), self._idle, 0)], 0)
            self._readers.dispose()
            self._writer.dispose()

    def _apply(self, db: sa.Connection, batches: Sequence[Batch]) -> int:
        marks = self._marks(db)
        fresh: list[tuple[Batch, Recorded]] = []
        for batch in batches:
            mark = marks.get((batch.topic, batch.partition))
            seen = mark.position if mark else 0
            fresh += [(batch, e) for e in batch.events if e.position > seen and e.type in self.family.types]
        if not fresh:
            return 0
        blocked = parking.subjects(db, self._storage, {event.subject for _, event in fresh})
        free = [(batch, event) for batch, event in fresh if event.subject not in blocked]
        for batch, event in fresh:
            if event.subject in blocked:
                self._park(db, batch, event, None)
        try:
            with db.begin_nested():
                self._fold(db, [event for _, event in free])
        except TRANSIENT:
            raise
        except Exception as error:
            if self._rebuild and len(free) == 1:
                raise Poisoned(f"{free[0][1].type} at {free[0][1].position}: {error}") from error
            self._words.rolled_back()
            return self._one_by_one(db, free)
        return len(free)

    def _one_by_one(self, db: sa.Connection, events: Sequence[tuple[Batch, Recorded]]) -> int:
        """Find what poisons a page: it is parked, and from then on everything of its subject."""
        blocked: set[str] = set()
        applied = 0
        for batch, event in events:
            if event.subject in blocked:
                self._park(db, batch, event, None)
                continue
            try:
                with db.begin_nested():
                    self._fold(db, [event])
                applied += 1
            except TRANSIENT:
                raise
            except Exception as error:
                if self._rebuild:
                    raise Poisoned(f"{event.type} at {event.position}: {error}") from error
                self._words.rolled_back()
                blocked.add(event.subject)
                self._park(db, batch, event, error)
        return applied

    def _park(self, db: sa.Connection, batch: Batch, event: Recorded, error: Exception | None) -> None:
        parking.park(db, self._storage, event, topic=batch.topic, partition=batch.partition, error=error)

    def _fold(self, db: sa.Connection, events: Sequence[Recorded]) -> None:
        codes = self._words.codes(db, {event.subject for event in events}) if self._plans else {}
        additions = {table.name: Addition(table) for table in self.family.sums}
        for type_, some in _by_type(events).items():
            if type_ in self._plans:
                self._plans[type_].fold(
                    np.fromiter((codes[event.subject] for event in some), np.int64, len(some)),
                    [self._codec.current(event) for event in some],
                    lambda texts: self._words.codes(db, texts),
                    additions,
                )
        for document in self.family.documents:
            documents.fold(db, self._storage.documents[document.name], document, events, self._codec)
        crashpoint("page.documents")
        written = {name: addition.rows() for name, addition in additions.items()}
        for table in self.family.sums:
            bulk.add(db, self._storage.sums[table.name], written[table.name], keys=len(table.key))
        self._touch(db, events, written)

    def _touch(self, db: sa.Connection, events: Sequence[Recorded], written: dict[str, list[tuple[int, ...]]]) -> None:
        for derived in self.family.derived:
            groups: set[int] = set()
            for source in derived.of:
                if source.name in written:
                    by = [column.name for column in source.key].index(derived.by)  # type: ignore[union-attr]
                    groups.update(row[by] for row in written[source.name])
                else:
                    about = {event.subject for event in events if event.type in source.types}
                    groups.update(self._words.codes(db, about).values())
            self._refresher.touch(db, derived, sorted(groups))

    def _move(self, db: sa.Connection, batches: Sequence[Batch], applied: int) -> None:
        marks = self._marks(db)
        for batch in batches:
            now = marks.get((batch.topic, batch.partition), Mark(batch.topic, batch.partition, 0, 0))
            moved = now._replace(
                position=max(now.position, batch.position), next_offset=max(now.next_offset, batch.next_offset)
            )
            bulk.put(db, self._storage.progress, [moved._asdict()])
        if applied:
            total = self._state(db, "applied") + applied
            bulk.put(db, self._storage.state, [{"name": "applied", "value": total}])
        self._set_ready(db)

    def _set_ready(self, db: sa.Connection) -> None:
        if self._any_touched(db):
            return
        marks = self._marks(db)
        if marks:
            ready = min(mark.position for mark in marks.values())
            bulk.put(db, self._storage.state, [{"name": "ready", "value": ready}])

    def _any_touched(self, db: sa.Connection) -> bool:
        touched = self._storage.touched.values()
        return any(db.execute(sa.select(sa.exists().select_from(table))).scalar_one() for table in touched)

    def _ready(self, db: sa.Connection) -> int:
        return self._state(db, "ready")

    def _state(self, db: sa.Connection, name: str) -> int:
        state = self._storage.state
        return db.execute(sa.select(state.c.value).where(state.c.name == name)).scalar_one_or_none() or 0

    def _marks(self, db: sa.Connection) -> dict[tuple[str, int], Mark]:
        return {(row[0], row[1]): Mark(*row) for row in db.execute(sa.select(self._storage.progress))}


def _by_type(events: Sequence[Recorded]) -> dict[str, list[Recorded]]:
    grouped: dict[str, list[Recorded]] = defaultdict(list)
    for event in events:
        grouped[event.type].append(event)
    return grouped


def _types_of_sums(family: Family) -> set[str]:
    return {type_ for table in family.sums for type_ in table.types}
