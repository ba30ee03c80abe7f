"""The bulk-write port: how a page of rows reaches the read model, by the database's own fastest way.

SQLite takes rows one by one from `executemany`; PostgreSQL takes columns, as arrays, in one statement. Rows are
written in the order given: whoever writes to PostgreSQL gives them sorted, or two pages could wait for each other.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

Row = tuple[Any, ...]
_POSTGRES: Final = postgresql.dialect()  # type: ignore[no-untyped-call]


def add(db: sa.Connection, table: sa.Table, rows: Sequence[Row], *, keys: int) -> None:
    """Add to the sums of a table: rows of key values and addends. Rows that come to nothing go."""
    names = [column.name for column in table.columns]
    addends = ", ".join(f"{name} = {table.name}.{name} + excluded.{name}" for name in names[keys:])
    _write(db, table, rows, f"ON CONFLICT ({', '.join(names[:keys])}) DO UPDATE SET {addends}")
    shrunk = [row[:keys] for row in rows if any(value < 0 for value in row[keys:])]
    empty = " AND ".join(f"{table.name}.{name} = 0" for name in names[keys:])
    _delete(db, table, names[:keys], shrunk, f" AND {empty}")


def put(db: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Write whole rows, over what stands there under the same key."""
    keys = [column.name for column in table.primary_key]
    others = [column.name for column in table.columns if column.name not in keys]
    values = [
        tuple(
            json.dumps(row[column.name], ensure_ascii=False) if isinstance(column.type, sa.JSON) else row[column.name]
            for column in table.columns
        )
        for row in rows
    ]
    whole = ", ".join(f"{_quoted(name)} = excluded.{_quoted(name)}" for name in others)
    _write(db, table, values, f"ON CONFLICT ({', '.join(map(_quoted, keys))}) DO UPDATE SET {whole}")


def insert(db: sa.Connection, table: sa.Table, rows: Iterable[Row], *, columns: Sequence[str] = ()) -> None:
    """Insert rows, of all columns or of some; one that is there already stays as it is."""
    _write(db, table, list(rows), "ON CONFLICT DO NOTHING", columns)


def remove(db: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Delete the rows with one of these combinations of values in these columns."""
    _delete(db, table, columns, list(rows))


def among(db: sa.Connection, column: sa.ColumnElement[Any], values: Collection[Any]) -> sa.ColumnElement[bool]:
    """Whether a column has one of many values, which travel as one parameter."""
    if db.dialect.name == "postgresql":
        return column == sa.any_(sa.cast(list(values), postgresql.ARRAY(column.type)))
    listed = sa.func.json_each(json.dumps(list(values))).table_valued("value")
    return column.in_(sa.select(listed.c.value))


def _write(db: sa.Connection, table: sa.Table, rows: Sequence[Row], conflict: str, names: Sequence[str] = ()) -> None:
    if not rows:
        return
    columns = [table.c[name] for name in names] if names else list(table.columns)
    into = f"INSERT INTO {table.name} ({', '.join(_quoted(column.name) for column in columns)})"
    if db.dialect.name == "postgresql":
        _columns(db, f"{into} SELECT * FROM {_arrays(columns)} {conflict}", rows)
    else:
        _rows(db, f"{into} VALUES ({','.join('?' * len(columns))}) {conflict}", rows)


def _delete(db: sa.Connection, table: sa.Table, names: Sequence[str], rows: Sequence[Row], also: str = "") -> None:
    if not rows:
        return
    if db.dialect.name == "postgresql":
        same = " AND ".join(f"{table.name}.{_quoted(name)} = gone.{_quoted(name)}" for name in names)
        gone = _arrays([table.c[name] for name in names])
        _columns(db, f"DELETE FROM {table.name} USING {gone} AS gone({', '.join(names)}) WHERE {same}{also}", rows)
    else:
        same = " AND ".join(f"{_quoted(name)} = ?" for name in names)
        _rows(db, f"DELETE FROM {table.name} WHERE {same}{also}", rows)


def _arrays(columns: Iterable[sa.Column[Any]]) -> str:
    types = (column.type.compile(_POSTGRES).partition(" COLLATE")[0] for column in columns)
    return f"unnest({', '.join(f'%s::{type_}[]' for type_ in types)})"


def _columns(db: sa.Connection, statement: str, rows: Sequence[Row]) -> None:
    db.exec_driver_sql(statement, tuple(map(list, zip(*rows, strict=True))))


def _rows(db: sa.Connection, statement: str, rows: Sequence[Row]) -> None:
    driver = db.connection.driver_connection
    if driver is None:
        raise RuntimeError("the connection is closed")
    driver.executemany(statement, rows)


def _quoted(name: str) -> str:
    return f'"{name}"'
