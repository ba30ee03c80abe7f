"""One moment of a generation, as queries see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from shared.projections.progress import Mark, Source
from shared.projections.tables import Table


class Snapshot:
    """One moment of a generation, for any number of queries."""

    def __init__(self, db: sa.Connection, number: int, marks: Mapping[Source, Mark], parked: int) -> None:
        self._db = db
        self._number = number
        self.marks = marks
        self.parked = parked

    @property
    def settled(self) -> bool:
        """Whether the derived tables have everything that the sums and documents have."""
        return all(mark.ready == mark.position for mark in self.marks.values())

    @property
    def position(self) -> int:
        """How far every source was applied and is in the derived tables too."""
        return ready(self.marks)

    @property
    def applied(self) -> int:
        """How many events were applied."""
        return sum(mark.applied for mark in self.marks.values())

    @property
    def revision(self) -> tuple[int, ...]:
        """Another one whenever the tables may hold something else."""
        readable = sum(mark.ready for mark in self.marks.values())
        return self._number, readable, sum(mark.position for mark in self.marks.values()), self.applied

    def execute(self, statement: sa.Executable, parameters: dict[str, Any] | None = None) -> sa.CursorResult[Any]:
        """Run a query on the readable views."""
        return self._db.execute(statement, parameters or {})

    def rows(self, table: Table) -> int:
        """How many rows a table has."""
        key = next(iter(table.c.columns.values()))
        return int(self.execute(sa.select(sa.func.count(key))).scalar_one())


def ready(marks: Mapping[Source, Mark]) -> int:
    """How far readers can see of every source."""
    return min((mark.ready for mark in marks.values()), default=0)
