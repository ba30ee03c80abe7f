"""Forgetting: what is about an erased subject goes from every table, and what still comes of it adds nothing to them.

What is not kept by person stays. So it makes no difference whether an event of the subject is applied before its
erasure or, from another topic, after it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import sqlalchemy as sa

from shared.envelope import Recorded
from shared.projections import bulk
from shared.projections.bulk import Column
from shared.projections.family import Family
from shared.projections.storage import Storage
from shared.projections.tables import Derived, Sum
from shared.projections.words import Words


class Forgetting:
    """Whom one generation has forgotten; the caller holds the transaction."""

    def __init__(self, family: Family, storage: Storage, words: Words) -> None:
        self._family = family
        self._storage = storage
        self._words = words

    def erased(self, db: sa.Connection, subjects: Collection[str] | None = None) -> set[str]:
        """Who, of some subjects or of all, was erased."""
        if not self._family.forgets:
            return set()
        subject = self._storage.erased.c.subject
        query = sa.select(subject)
        if subjects is not None:
            query = query.where(bulk.among(db, subject, sorted(subjects)))
        return set(db.execute(query).scalars())

    def now(self, events: Sequence[Recorded]) -> set[str]:
        """Who is erased by one of these events."""
        return {event.subject for event in events if event.type in self._family.forgets}

    def others(self, db: sa.Connection, table: Sum, columns: list[Column], erased: Collection[str]) -> list[Column]:
        """The rows of a sum that are not about the erased."""
        if table.subject is None or not erased:
            return columns
        gone = np.fromiter(self._words.codes(db, erased).values(), np.int64, len(erased))
        stay = ~np.isin(columns[_place(table)], gone)
        return [column[stay] for column in columns]

    def forget(self, db: sa.Connection, subjects: Collection[str]) -> Iterator[tuple[Derived, Column]]:
        """Remove all that is about some subjects, for ever; the groups of derived tables that have to follow."""
        some = [(subject,) for subject in sorted(subjects)]
        if some:
            bulk.insert(db, self._storage.erased, some)
            bulk.remove(db, self._storage.parked, ["subject"], some)
            yield from self.remove(db, subjects)

    def remove(self, db: sa.Connection, subjects: Collection[str]) -> Iterator[tuple[Derived, Column]]:
        """Remove the rows about some subjects; the groups of derived tables that have to follow."""
        some = sorted(subjects)
        codes = sorted(self._words.codes(db, some).values())
        for derived, *_ in self._family.together:
            yield derived, np.unique(np.concatenate([np.array(codes, np.int64), *self._groups(db, derived, codes)]))
        for table in self._family.sums:
            if table.subject is not None:
                bulk.remove(db, self._storage.sums[table.name], [table.subject], [(code,) for code in codes])
        for document in self._family.documents:
            if document.subject is not None:
                stored = self._storage.documents[document.name]
                bulk.remove(db, stored, [document.subject], [(subject,) for subject in some])

    def _groups(self, db: sa.Connection, derived: Derived, codes: Sequence[int]) -> Iterator[Column]:
        """The groups of the rows that are about to go, where they are not the subjects themselves."""
        for source in derived.of:
            if isinstance(source, Sum) and source.subject not in {None, derived.by}:
                stored = self._storage.sums[source.name]
                query = sa.select(stored.c[derived.by]).where(bulk.among(db, stored.c[source.subject], codes))
                yield np.array(db.execute(query.distinct()).scalars().all(), np.int64)


def _place(table: Sum) -> int:
    return [column.name for column in table.key].index(table.subject or "")
