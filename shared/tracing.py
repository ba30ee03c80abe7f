"""What each event of a subject changed in a read model: the rows before it and after it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from shared.codec import Codec
from shared.envelope import Recorded
from shared.projections import Family
from shared.projections.generation import Generation
from shared.projections.progress import STORE, Batch
from shared.projections.sqlite_home import SqlitePlace
from shared.projections.tables import Document, Table

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Change:
    """A row that an event made, changed or removed; None on the side where there is none."""

    table: str
    key: Key
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True)
class Step:
    """An event and what it changed; `error` is why it cannot be applied."""

    event: Recorded
    changes: list[Change]
    error: str | None


def steps(family: Family, events: Iterable[Recorded], codec: Codec) -> Iterator[Step]:
    """Apply the events of one subject, one after the other, to a generation of their own that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="rapport-trace-") as folder:
        generation = Generation(family, 0, SqlitePlace(Path(folder) / "trace.db"), codec)
        try:
            before: dict[str, dict[Key, dict[str, Any]]] = {table.name: {} for table in family.tables}
            for event in events:
                generation.apply([Batch(*STORE, [event], event.position, 0)])
                generation.refresh()
                after = _rows(generation)
                parked = [row.reason for row in generation.parked() if row.position == event.position]
                yield Step(event, list(_changes(before, after)), parked[0] if parked else None)
                before = after
        finally:
            generation.close()


def _rows(generation: Generation) -> dict[str, dict[Key, dict[str, Any]]]:
    with generation.read() as snapshot:
        found = {}
        for table in generation.family.tables:
            columns = list(table.c.columns.values())
            rows = snapshot.execute(sa.select(*columns)).mappings()
            found[table.name] = {tuple(row.values())[: _width(table)]: dict(row) for row in rows}
        return found


def _width(table: Table) -> int:
    return 1 if isinstance(table, Document) else len(table.key)


def _changes(
    before: dict[str, dict[Key, dict[str, Any]]], after: dict[str, dict[Key, dict[str, Any]]]
) -> Iterator[Change]:
    for table, rows in before.items():
        for key in sorted({*rows, *after[table]}, key=repr):
            old, new = rows.get(key), after[table].get(key)
            if old != new:
                yield Change(table, key, old, new)
