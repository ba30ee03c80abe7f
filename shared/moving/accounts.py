"""Staff, tokens and notes from the folder into the deployment's database; sessions are left, people sign in again."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import sqlalchemy as sa

from shared.account_tables import notes, staff, tokens
from shared.postgres import answering


class Copied(NamedTuple):
    """How many rows were written, and the names that were in use already and stay as they are."""

    rows: int
    kept: tuple[str, ...]


def copy(source: sa.Engine, target: sa.Engine) -> Copied:
    """Write the accounts that the database does not have by name, and the notes that it does not have.

    A name that it has stays as it is, with its password or secret: `rapport database upgrade` makes an `admin`.

    Raises:
        Unreachable: the database does not answer.
    """
    rows = 0
    kept: list[str] = []
    with answering(), source.connect() as ours, target.begin() as theirs:
        for table in (staff, tokens):
            there = {row["name"]: row for row in _rows(theirs, table)}
            wanted = _rows(ours, table)
            kept += [row["name"] for row in wanted if row["name"] in there and there[row["name"]] != row]
            rows += _insert(theirs, table, [row for row in wanted if row["name"] not in there])
        rows += _insert(theirs, notes, _new_notes(ours, theirs))
    return Copied(rows, tuple(kept))


def _new_notes(ours: sa.Connection, theirs: sa.Connection) -> list[dict[str, Any]]:
    """Notes have no name: of equal ones, as many as are missing. Their numbers are given anew."""
    there = Counter(_content(row) for row in _rows(theirs, notes))
    new = []
    for row in _rows(ours, notes):
        content = _content(row)
        if there[content]:
            there[content] -= 1
        else:
            new.append(dict(content))
    return new


def _content(note: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple((name, value) for name, value in note.items() if name != notes.c.number.name)


def _rows(connection: sa.Connection, table: sa.Table) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()]


def _insert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> int:
    if rows:
        connection.execute(sa.insert(table), rows)
    return len(rows)
