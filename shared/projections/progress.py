"""How far a generation is: the watermark of each source, and how far readers can see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from shared.envelope import Recorded
from shared.projections import bulk
from shared.projections.storage import Storage


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


class Progress:
    """Reads and moves the watermarks of one generation; the caller holds the transaction."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def move(self, db: sa.Connection, batches: Sequence[Batch], applied: int) -> None:
        """Move the watermarks behind pages, and count what they applied."""
        marks = self.marks(db)
        for batch in batches:
            now = marks.get((batch.topic, batch.partition), Mark(batch.topic, batch.partition, 0, 0))
            moved = now._replace(
                position=max(now.position, batch.position), next_offset=max(now.next_offset, batch.next_offset)
            )
            bulk.put(db, self._storage.progress, [moved._asdict()])
        if applied:
            total = self.applied(db) + applied
            bulk.put(db, self._storage.state, [{"name": "applied", "value": total}])
        self.set_ready(db)

    def set_ready(self, db: sa.Connection) -> None:
        """Let readers see what was applied, once the derived tables have it too."""
        if self.unsettled(db):
            return
        marks = self.marks(db)
        if marks:
            ready = min(mark.position for mark in marks.values())
            bulk.put(db, self._storage.state, [{"name": "ready", "value": ready}])

    def unsettled(self, db: sa.Connection) -> bool:
        """Whether derived tables are behind the sums and documents."""
        touched = self._storage.touched.values()
        return any(db.execute(sa.select(sa.exists().select_from(table))).scalar_one() for table in touched)

    def ready(self, db: sa.Connection) -> int:
        """How far readers can see."""
        return self._state(db, "ready")

    def applied(self, db: sa.Connection) -> int:
        """How many events were applied."""
        return self._state(db, "applied")

    def _state(self, db: sa.Connection, name: str) -> int:
        state = self._storage.state
        return db.execute(sa.select(state.c.value).where(state.c.name == name)).scalar_one_or_none() or 0

    def marks(self, db: sa.Connection) -> dict[tuple[str, int], Mark]:
        """The watermark of each source."""
        return {(row[0], row[1]): Mark(*row) for row in db.execute(sa.select(self._storage.progress))}
