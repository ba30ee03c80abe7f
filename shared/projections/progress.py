"""How far a generation is: the watermark of each source, and how far readers can see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import sqlalchemy as sa

from shared.envelope import Recorded
from shared.projections import bulk
from shared.projections.storage import Storage

Source = tuple[str, int]
"""A topic and a partition."""
STORE: Final[Source] = ("", 0)
"""The store as a source: the topic without a name."""


class Batch(NamedTuple):
    """Events of one source in order, and how far the source was read for them."""

    topic: str
    partition: int
    events: Sequence[Recorded]
    position: int
    next_offset: int


class Mark(NamedTuple):
    """How far a source was applied: up to this position; `ready` is how far the derived tables have it too."""

    topic: str
    partition: int
    position: int = 0
    next_offset: int = 0
    ready: int = 0
    applied: int = 0


class Applied(NamedTuple):
    """What a page came to: events applied by source, and whether derived tables have to follow."""

    events: Counter[Source]
    touched: bool


class Progress:
    """Reads and moves the watermarks of one generation; the caller holds the transaction."""

    def __init__(self, storage: Storage) -> None:
        self._table = storage.progress

    def marks(self, db: sa.Connection) -> dict[Source, Mark]:
        """The watermark of each source."""
        return {(row[0], row[1]): Mark(*row) for row in db.execute(sa.select(self._table))}

    def locked(self, db: sa.Connection, batches: Sequence[Batch]) -> dict[Source, Mark]:
        """The watermarks of all topics of these partitions, which nobody else moves until the transaction ends.

        A consumer that lost its partitions without knowing it waits here, and then finds the watermarks moved.
        """
        wanted = sorted({(batch.topic, batch.partition) for batch in batches})
        held = self._lock(db, wanted)
        if any(source not in held for source in wanted):
            self.begin(db, wanted)
            held = self._lock(db, wanted)
        return held

    def hold(self, db: sa.Connection) -> None:
        """Keep all watermarks where they are until the transaction ends."""
        db.execute(sa.select(self._table).order_by(self._table.c.topic, self._table.c.partition).with_for_update())

    def begin(self, db: sa.Connection, sources: Sequence[Source]) -> None:
        """Give sources a watermark at zero, where they have none."""
        bulk.insert(db, self._table, [Mark(*source) for source in sorted(sources)])

    def move(self, db: sa.Connection, batches: Sequence[Batch], marks: Mapping[Source, Mark], applied: Applied) -> None:
        """Move the locked watermarks behind pages."""
        moved = dict(marks)
        for batch in batches:
            now = moved[batch.topic, batch.partition]
            position = max(now.position, batch.position)
            # what was applied before is still on its way into the derived tables if `ready` stands back
            visible = not applied.touched and now.ready == now.position
            moved[batch.topic, batch.partition] = now._replace(
                position=position,
                next_offset=max(now.next_offset, batch.next_offset),
                ready=position if visible else now.ready,
            )
        for source, events in applied.events.items():
            moved[source] = moved[source]._replace(applied=moved[source].applied + events)
        changed = [mark._asdict() for source, mark in sorted(moved.items()) if mark != marks[source]]
        bulk.put(db, self._table, changed)

    def settle(self, db: sa.Connection, noted: Mapping[Source, Mark]) -> None:
        """Let readers see as far as the watermarks stood before the derived tables were brought up."""
        table = self._table
        for source, mark in sorted(noted.items()):
            if mark.ready < mark.position:
                here = sa.and_(table.c.topic == source[0], table.c.partition == source[1])
                behind = table.c.ready < mark.position
                db.execute(sa.update(table).where(here, behind).values(ready=mark.position))

    def replace(self, db: sa.Connection, marks: Sequence[Mark]) -> None:
        """Stand on these watermarks instead of the ones before: another source goes on from there."""
        self.hold(db)  # a retry of parked events may be about to add to what was applied
        applied = sum(mark.applied for mark in self.marks(db).values())
        db.execute(sa.delete(self._table))
        first, *others = sorted(marks)
        bulk.insert(db, self._table, [first._replace(applied=applied), *others])

    def _lock(self, db: sa.Connection, wanted: Sequence[Source]) -> dict[Source, Mark]:
        table = self._table
        query = sa.select(table).where(table.c.partition.in_({partition for _, partition in wanted}))
        rows = db.execute(query.order_by(table.c.topic, table.c.partition).with_for_update())
        return {(row[0], row[1]): Mark(*row) for row in rows}
