"""Applying a page: sums in columns, documents row by row; what poisons it is parked with its subject."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import sqlalchemy as sa

from shared.codec import Codec
from shared.crashpoints import crashpoint
from shared.database_errors import AWAY
from shared.envelope import Recorded
from shared.errors import RapportError, Unreachable
from shared.projections import bulk, documents, parking
from shared.projections.family import Family
from shared.projections.fold import Addition, Plan
from shared.projections.progress import Applied, Batch, Mark, Source
from shared.projections.refresh import Refresher
from shared.projections.storage import Storage
from shared.projections.words import Words

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
        self._storage = storage
        self._words = words
        self._codec = codec
        self._rebuild = rebuild
        self._refresher = Refresher(storage, words)
        self._plans = {type_: Plan(type_, family.sums) for type_ in _types_of_sums(family)}

    def apply(self, db: sa.Connection, batches: Sequence[Batch], marks: Mapping[Source, Mark]) -> Applied:
        """Apply what is above the watermarks; how many events that were, parked ones not counted."""
        fresh = [(batch, event) for batch in batches for event in self._above(batch, marks)]
        if not fresh:
            return Applied(Counter(), touched=False)
        blocked = parking.subjects(db, self._storage, {event.subject for _, event in fresh})
        free = [(batch, event) for batch, event in fresh if event.subject not in blocked]
        for batch, event in fresh:
            if event.subject in blocked:
                self._park(db, batch, event, None)
        try:
            with db.begin_nested():
                touched = self._fold(db, [event for _, event in free])
        except TRANSIENT:
            raise
        except Exception as error:
            if self._rebuild and len(free) == 1:
                raise Poisoned(f"{free[0][1].type} at {free[0][1].position}: {error}") from error
            self._words.rolled_back()
            return self._one_by_one(db, free)
        return Applied(Counter((batch.topic, batch.partition) for batch, _ in free), touched)

    def _above(self, batch: Batch, marks: Mapping[Source, Mark]) -> Iterator[Recorded]:
        """The family's events that the watermark has not seen; a repeat inside the batch counts as seen."""
        mark = marks.get((batch.topic, batch.partition))
        seen = mark.position if mark else 0
        for event in batch.events:
            if event.position > seen:
                seen = event.position
                if event.type in self._family.types:
                    yield event

    def _one_by_one(self, db: sa.Connection, events: Sequence[tuple[Batch, Recorded]]) -> Applied:
        """Find what poisons a page: it is parked, and from then on everything of its subject."""
        blocked: set[str] = set()
        applied: Counter[Source] = Counter()
        touched = False
        for batch, event in events:
            if event.subject in blocked:
                self._park(db, batch, event, None)
                continue
            try:
                with db.begin_nested():
                    touched |= self._fold(db, [event])
                applied[batch.topic, batch.partition] += 1
            except TRANSIENT:
                raise
            except Exception as error:
                if self._rebuild:
                    raise Poisoned(f"{event.type} at {event.position}: {error}") from error
                self._words.rolled_back()
                blocked.add(event.subject)
                self._park(db, batch, event, error)
        return Applied(applied, touched)

    def _park(self, db: sa.Connection, batch: Batch, event: Recorded, error: Exception | None) -> None:
        parking.park(db, self._storage, event, topic=batch.topic, partition=batch.partition, error=error)

    def _fold(self, db: sa.Connection, events: Sequence[Recorded]) -> bool:
        codes = self._words.codes(db, {event.subject for event in events}) if self._plans else {}
        additions = {table.name: Addition(table) for table in self._family.sums}
        for type_, some in _by_type(events).items():
            if type_ in self._plans:
                self._plans[type_].fold(
                    np.fromiter((codes[event.subject] for event in some), np.int64, len(some)),
                    [self._codec.current(event) for event in some],
                    lambda texts: self._words.codes(db, texts),
                    additions,
                )
        for document in self._family.documents:
            documents.fold(db, self._storage.documents[document.name], document, events, self._codec)
        crashpoint("page.documents")
        written = {name: addition.rows() for name, addition in additions.items()}
        for table in self._family.sums:
            bulk.add(db, self._storage.sums[table.name], written[table.name], keys=len(table.key))
        return self._touch(db, events, written)

    def _touch(self, db: sa.Connection, events: Sequence[Recorded], written: dict[str, list[tuple[int, ...]]]) -> bool:
        touched = False
        for derived in self._family.derived:
            groups: set[int] = set()
            for source in derived.of:
                if source.name in written:
                    by = [column.name for column in source.key].index(derived.by)  # type: ignore[union-attr]
                    groups.update(row[by] for row in written[source.name])
                else:
                    about = {event.subject for event in events if event.type in source.types}
                    groups.update(self._words.codes(db, about).values())
            self._refresher.touch(db, derived, groups)
            touched |= bool(groups)
        return touched


def _by_type(events: Sequence[Recorded]) -> dict[str, list[Recorded]]:
    grouped: dict[str, list[Recorded]] = defaultdict(list)
    for event in events:
        grouped[event.type].append(event)
    return grouped


def _types_of_sums(family: Family) -> set[str]:
    return {type_ for table in family.sums for type_ in table.types}
