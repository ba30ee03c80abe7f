"""The bulk-write port: how a page of rows reaches the read model, by the driver's own fastest way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

Row = tuple[Any, ...]


def add(db: sa.Connection, table: sa.Table, rows: Sequence[Row], *, keys: int) -> None:
    """Add to the sums of a table: rows of key values and addends. Rows that come to nothing go."""
    if not rows:
        return
    names = [column.name for column in table.columns]
    addends = ", ".join(f"{name} = {name} + excluded.{name}" for name in names[keys:])
    _many(
        db,
        f"INSERT INTO {table.name} VALUES ({_marks(len(names))})"
        f" ON CONFLICT ({', '.join(names[:keys])}) DO UPDATE SET {addends}",
        rows,
    )
    shrunk = [row[:keys] for row in rows if any(value < 0 for value in row[keys:])]
    if shrunk:
        empty = " AND ".join([f"{name} = ?" for name in names[:keys]] + [f"{name} = 0" for name in names[keys:]])
        _many(db, f"DELETE FROM {table.name} WHERE {empty}", shrunk)


def put(db: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Write whole rows, over what stands there under the same key."""
    if not rows:
        return
    names = [column.name for column in table.columns]
    values = [
        tuple(
            json.dumps(row[column.name], ensure_ascii=False) if isinstance(column.type, sa.JSON) else row[column.name]
            for column in table.columns
        )
        for row in rows
    ]
    _many(
        db,
        f"INSERT OR REPLACE INTO {table.name} ({', '.join(map(_quoted, names))}) VALUES ({_marks(len(names))})",
        values,
    )


def insert(db: sa.Connection, table: sa.Table, rows: Iterable[Row]) -> None:
    """Insert rows; one that is there already stays as it is."""
    _many(db, f"INSERT OR IGNORE INTO {table.name} VALUES ({_marks(len(table.columns))})", rows)


def remove(db: sa.Connection, table: sa.Table, column: str, values: Iterable[Any]) -> None:
    """Delete the rows with one of these values in a column."""
    _many(db, f"DELETE FROM {table.name} WHERE {_quoted(column)} = ?", ((value,) for value in values))


def _many(db: sa.Connection, statement: str, rows: Iterable[Row]) -> None:
    driver = db.connection.driver_connection
    if driver is None:
        raise RuntimeError("the connection is closed")
    driver.executemany(statement, rows)


def _marks(number: int) -> str:
    return ",".join("?" * number)


def _quoted(name: str) -> str:
    return f'"{name}"'
