"""Applying a page: sums in columns, documents row by row; what poisons it is parked with its subject."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import sqlalchemy as sa

from shared.codec import Codec
from shared.crashpoints import crashpoint
from shared.database_errors import AWAY
from shared.envelope import Recorded
from shared.errors import RapportError, Unreachable
from shared.events import event_class
from shared.projections import bulk, documents, parking
from shared.projections.additions import Addition
from shared.projections.bulk import Column
from shared.projections.family import Family
from shared.projections.fold import Plan
from shared.projections.forgetting import Forgetting
from shared.projections.progress import STORE, Applied, Batch, Mark, Source
from shared.projections.refresh import Refresher
from shared.projections.replay import Part, Replay, Told
from shared.projections.storage import Storage
from shared.projections.tables import Derived, Document, Sum
from shared.projections.words import Words
from shared.scan import Scan

TRANSIENT: Final = (
    *AWAY,
    sqlite3.OperationalError,
    Unreachable,
    OSError,
    MemoryError,
)
"""What passes when the disk, the lock or the connection comes back: retried for ever, never parked."""


class Poisoned(RapportError):
    """A rebuild met an event that cannot be applied; it stops, and names it."""


class Pages:
    """Applies pages to the tables of one generation; the caller holds the transaction."""

    def __init__(self, family: Family, storage: Storage, words: Words, codec: Codec, *, rebuild: bool) -> None:
        self._family = family
        self._types = family.types
        self._storage = storage
        self._words = words
        self._codec = codec
        self.rebuild = rebuild
        self._refresher = Refresher(storage, words)
        self._forgetting = Forgetting(family, storage, words)
        self._plans = {type_: Plan(type_, family.sums) for type_ in _types_of_sums(family)}

    def apply(self, db: sa.Connection, batches: Sequence[Batch], marks: Mapping[Source, Mark]) -> Applied:
        """Apply what is above the watermarks; how many events that were, parked ones not counted."""
        fresh = [(batch, event) for batch in batches for event in self._above(batch, marks)]
        if not fresh:
            return Applied(Counter(), touched=False)
        blocked = parking.subjects(db, self._storage, {event.subject for _, event in fresh})
        free = [(batch, event) for batch, event in fresh if not self._waits(event, blocked)]
        for batch, event in fresh:
            if self._waits(event, blocked):
                self._park(db, batch, event, None)
        try:
            with db.begin_nested():
                touched = self.fold(db, [event for _, event in free])
        except TRANSIENT:
            raise
        except Exception as error:
            if self.rebuild and len(free) == 1:
                raise Poisoned(f"{free[0][1].type} at {free[0][1].position}: {error}") from error
            self._words.rolled_back()
            return self._one_by_one(db, free)
        return Applied(Counter((batch.topic, batch.partition) for batch, _ in free), touched)

    def replay(self, db: sa.Connection, scan: Scan, part: Part, told: Told) -> Applied:
        """Apply a part of what a scan reads; nothing may be parked."""
        steps = 1 + len(part.passes)

        def tell(step: int, position: int) -> None:
            told(scan.after + (step * (scan.upto - scan.after) + position - scan.after) // steps)

        replayed = Replay(scan, part.share, self._family.sums, self._words, partial(tell, 0))
        touched = False
        erased = self._forgetting.erased(db)
        for table, columns in replayed.run(db):
            touched |= self._add(db, table, self._forgetting.others(db, table, columns, erased))
        applied = replayed.events
        counted = set(self._plans)
        for step, (share, some) in enumerate(part.passes, 1):
            types = self._family.forgets.union(*(table.types for table in some))
            for events in scan.events(types, share):
                touched |= self._documents(db, some, events, self._erased(db, events))
                touched |= self._forget(db, events)
                applied += sum(event.type not in counted for event in events)
                tell(step, events[-1].position)
            counted |= types
            tell(step, scan.upto)
        return Applied(Counter({STORE: applied}), touched)

    def refold(self, db: sa.Connection, subject: str, events: Sequence[Recorded]) -> None:
        """Make the rows about one subject anew, from all its events; tables about nobody are left as they are."""
        erased = self._forgetting.erased(db, [subject])
        for derived, groups in self._forgetting.remove(db, [subject]):
            self._touch(db, derived, groups)
        if erased:
            return
        for document in self._family.documents:
            if document.subject is not None:
                documents.fold(db, self._storage.documents[document.name], document, events, self._codec)
        for table, columns in self._sums(db, events):
            if table.subject is not None:
                self._add(db, table, columns)

    def _above(self, batch: Batch, marks: Mapping[Source, Mark]) -> Iterator[Recorded]:
        """The family's events that the watermark has not seen; a repeat inside the batch counts as seen."""
        mark = marks.get((batch.topic, batch.partition))
        seen = mark.position if mark else 0
        for event in batch.events:
            if event.position > seen:
                seen = event.position
                if event.type in self._types:
                    yield event

    def _one_by_one(self, db: sa.Connection, events: Sequence[tuple[Batch, Recorded]]) -> Applied:
        """Find what poisons a page: it is parked, and from then on everything of its subject."""
        blocked: set[str] = set()
        applied: Counter[Source] = Counter()
        touched = False
        for batch, event in events:
            if self._waits(event, blocked):
                self._park(db, batch, event, None)
                continue
            try:
                with db.begin_nested():
                    touched |= self.fold(db, [event])
                applied[batch.topic, batch.partition] += 1
            except TRANSIENT:
                raise
            except Exception as error:
                if self.rebuild:
                    raise Poisoned(f"{event.type} at {event.position}: {error}") from error
                self._words.rolled_back()
                blocked.add(event.subject)
                self._park(db, batch, event, error)
        return Applied(applied, touched)

    def _waits(self, event: Recorded, blocked: Collection[str]) -> bool:
        """Whether an earlier event of its subject is parked; forgetting waits for nothing."""
        return event.subject in blocked and event.type not in self._family.forgets

    def _park(self, db: sa.Connection, batch: Batch, event: Recorded, error: Exception | None) -> None:
        topic, partition = batch.topic, batch.partition
        secrets = self.secrets(event) if error else ()
        parking.park(db, self._storage, event, topic=topic, partition=partition, error=error, secrets=secrets)

    def secrets(self, event: Recorded) -> list[str]:
        """The personal fields of an event, which an error about it may repeat."""
        try:
            said = self._codec.revealed(event)
            return [text for name in event_class(event.type).personal if isinstance(text := said.get(name), str)]
        except TRANSIENT:
            raise
        except Exception:  # noqa: BLE001, nobody could read them, whatever is wrong with the event
            return []

    def fold(self, db: sa.Connection, events: Sequence[Recorded]) -> bool:
        """Apply events whatever the watermarks say; whether derived tables have to follow.

        What it has written by an exception is the caller's to take back.
        """
        erased = self._erased(db, events)
        touched = self._documents(db, self._family.documents, events, erased)
        crashpoint("page.documents")
        for table, columns in self._sums(db, events):
            touched |= self._add(db, table, self._forgetting.others(db, table, columns, erased))
        return self._forget(db, events) or touched

    def _erased(self, db: sa.Connection, events: Sequence[Recorded]) -> set[str]:
        """Which subjects of some events are erased, before them or by them."""
        subjects = {event.subject for event in events}
        return self._forgetting.now(events) | self._forgetting.erased(db, subjects)

    def _forget(self, db: sa.Connection, events: Sequence[Recorded]) -> bool:
        touched = False
        for derived, groups in self._forgetting.forget(db, self._forgetting.now(events)):
            touched |= self._touch(db, derived, groups)
        return touched

    def _sums(self, db: sa.Connection, events: Sequence[Recorded]) -> list[tuple[Sum, list[Column]]]:
        additions = {table.name: Addition(table) for table in self._family.sums}
        for type_, some in _by_type(events).items():
            if type_ in self._plans:
                about = self._words.column(db, [event.subject for event in some])
                lines = b"\n".join(self._codec.current(event) for event in some)
                for name, keys, values in self._plans[type_].fold(about, lines, partial(self._words.column, db)):
                    additions[name].add(keys, values)
        return [(addition.table, addition.columns()) for addition in additions.values()]

    def _add(self, db: sa.Connection, table: Sum, columns: list[Column]) -> bool:
        """Write what events came to in a sum; whether derived tables have to follow."""
        bulk.add(db, self._storage.sums[table.name], columns, keys=len(table.key), extremes=table.extremes)
        touched = False
        for derived, *_ in self._family.together:
            if table in derived.of:
                by = [column.name for column in table.key].index(derived.by)
                touched |= self._touch(db, derived, np.unique(columns[by]))
        return touched

    def _documents(
        self,
        db: sa.Connection,
        some: Sequence[Document[Any]],
        events: Sequence[Recorded],
        erased: Collection[str],
    ) -> bool:
        touched = False
        events = [event for event in events if event.subject not in erased]
        for document in some:
            documents.fold(db, self._storage.documents[document.name], document, events, self._codec)
        for derived, *_ in self._family.together:
            sources = (*derived.of, *([derived.through] if derived.through else ()))
            read = {type_ for source in sources if source in some for type_ in source.types}
            about = self._words.codes(db, {event.subject for event in events if event.type in read})
            touched |= self._touch(db, derived, np.unique(np.fromiter(about.values(), np.int64, len(about))))
        return touched

    def _touch(self, db: sa.Connection, derived: Derived, groups: Column) -> bool:
        self._refresher.touch(db, derived, groups)
        return bool(len(groups))


def _by_type(events: Sequence[Recorded]) -> dict[str, list[Recorded]]:
    grouped: dict[str, list[Recorded]] = defaultdict(list)
    for event in events:
        grouped[event.type].append(event)
    return grouped


def _types_of_sums(family: Family) -> set[str]:
    return {type_ for table in family.sums for type_ in table.types}
