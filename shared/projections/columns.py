"""The columns that keys are made of."""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import Any, Final, Union, get_args, get_origin

import sqlalchemy as sa

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""A text that sorts by its code points, on SQLite as on PostgreSQL."""

UNSET: Final = {"min": 2**63 - 1, "max": -(2**63)}
"""What stands in the column of an extreme before the first value."""

_SQL_TYPES: dict[Any, sa.types.TypeEngine[Any]] = {
    str: TEXT,
    int: sa.BigInteger(),
    bool: sa.Boolean(),
    float: sa.Double(),
}


@dataclass(frozen=True)
class Key:
    """A key column by name."""

    name: str


class Text(Key):
    """A text; stored as a small integer in sums, read as text."""


class Whole(Key):
    """A whole number: a business day, a count."""


class Subject(Key):
    """The subject of the event, filled in by the engine."""


class Stream(Key):
    """The stream of the event, filled in by the engine."""


class EventId(Key):
    """The event itself: a row per event."""


def sql_type(hint: Any) -> tuple[sa.types.TypeEngine[Any], bool]:
    """The SQL type for a field of a row, and whether it may be absent; anything but plain values is JSON."""
    nullable = get_origin(hint) in {Union, types.UnionType} and type(None) in get_args(hint)
    plain = next((arg for arg in get_args(hint) if arg is not type(None)), hint) if nullable else hint
    return _SQL_TYPES.get(plain) or sa.JSON(), nullable
