"""Comparing what two generations of a family hold: rows, checksums, and the first rows that differ, by key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from shared.projections import Snapshot
from shared.projections.tables import Document, Table

_ROWS_AT_ONCE: Final = 5_000


class Difference(NamedTuple):
    """A key whose rows differ; None on the side that does not have it."""

    table: str
    key: tuple[Any, ...]
    active: dict[str, Any] | None
    candidate: dict[str, Any] | None


class Compared(NamedTuple):
    """What a comparison of one table found; of `differences` only the first."""

    table: str
    rows: tuple[int, int]
    checksums: tuple[str, str]
    differences: list[Difference]


@dataclass(frozen=True)
class Found:
    """What comparing a candidate with the active generation came to."""

    position: int
    tables: list[Compared]

    @property
    def equal(self) -> bool:
        """Whether every table is the same."""
        return all(table.checksums[0] == table.checksums[1] for table in self.tables)

    def as_json(self) -> dict[str, Any]:
        """In the shape of `rapport replay compare --json`."""
        return {
            "position": self.position,
            "rows": [sum(table.rows[side] for table in self.tables) for side in (0, 1)],
            "checksum": [_digest([table.checksums[side] for table in self.tables]) for side in (0, 1)],
            "tables": [
                {"table": t.table, "rows": t.rows, "equal": t.checksums[0] == t.checksums[1]} for t in self.tables
            ],
            "differences": [d._asdict() for table in self.tables for d in table.differences],
            "equal": self.equal,
        }


class _Rows:
    """The rows of one table in key order, counted and digested on the way."""

    def __init__(self, snapshot: Snapshot, table: Table) -> None:
        self.count = 0
        self._digest = hashlib.sha256()
        self._snapshot = snapshot
        self._columns = list(table.c.columns.values())
        self._key = 1 if isinstance(table, Document) else len(table.key)

    @property
    def checksum(self) -> str:
        """Of all rows that were taken so far."""
        return self._digest.hexdigest()

    def key(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """What a row is ordered by."""
        return row[: self._key]

    def named(self, row: tuple[Any, ...]) -> dict[str, Any]:
        """A row by the names of its columns."""
        return {column.name: value for column, value in zip(self._columns, row, strict=True)}

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        query = sa.select(*self._columns).order_by(*self._columns[: self._key])
        for row in self._snapshot.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)):
            taken = tuple(row)
            self._digest.update(repr(taken).encode())
            self.count += 1
            yield taken


def checksum(snapshot: Snapshot, table: Table) -> tuple[int, str]:
    """How many rows a table has, and a checksum over them in key order."""
    rows = _Rows(snapshot, table)
    for _ in rows:
        pass
    return rows.count, rows.checksum


def compare(active: Snapshot, candidate: Snapshot, table: Table, limit: int) -> Compared:
    """Compare one table in two generations; at most `limit` differences are kept."""
    one, other = _Rows(active, table), _Rows(candidate, table)
    differences: list[Difference] = []
    for key, left, right in _side_by_side(one, other):
        if left != right and len(differences) < limit:
            shown = [None if row is None else rows.named(row) for row, rows in ((left, one), (right, other))]
            differences.append(Difference(table.name, key, shown[0], shown[1]))
    return Compared(table.name, (one.count, other.count), (one.checksum, other.checksum), differences)


def _side_by_side(one: _Rows, other: _Rows) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    """Both sides' rows by key, None where a side has none. Keys are compared as both databases sort them: by bytes."""
    lefts, rights = iter(one), iter(other)
    left, right = next(lefts, None), next(rights, None)
    while left is not None and right is not None:
        a, b = one.key(left), other.key(right)
        if a == b:
            yield a, left, right
            left, right = next(lefts, None), next(rights, None)
        elif _sortable(a) < _sortable(b):
            yield a, left, None
            left = next(lefts, None)
        else:
            yield b, None, right
            right = next(rights, None)
    for row in _rest(left, lefts):
        yield one.key(row), row, None
    for row in _rest(right, rights):
        yield other.key(row), None, row


def _rest(first: tuple[Any, ...] | None, others: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    if first is not None:
        yield first
        yield from others


def _sortable(key: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(part.encode() if isinstance(part, str) else part for part in key)


def _digest(checksums: Sequence[str]) -> str:
    return hashlib.sha256("".join(checksums).encode()).hexdigest()
