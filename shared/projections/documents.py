"""Folding a page into documents: load the rows it names, fold event by event, write what changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from shared.codec import Codec
from shared.envelope import Recorded
from shared.projections import bulk
from shared.projections.columns import EventId, Stream
from shared.projections.tables import Document


def fold(db: sa.Connection, stored: sa.Table, table: Document[Any], events: Sequence[Recorded], codec: Codec) -> None:
    """Apply events, in order, to the rows they are about."""
    mine = [event for event in events if event.type in table.handlers]
    if not mine:
        return
    keys = [_key(table, event) for event in mine]
    before = rows(db, stored, table, set(keys))
    now = dict(before)
    for key, event in zip(keys, mine, strict=True):
        now[key] = after(table, now.get(key), event, codec)
    changed = [(key, row) for key, row in sorted(now.items()) if row != before.get(key)]
    bulk.put(db, stored, [_columns(table, key, row) for key, row in changed if row is not None])
    bulk.remove(db, stored, [table.key.name], [(key,) for key, row in changed if row is None])


def after(table: Document[Any], row: Any | None, event: Recorded, codec: Codec) -> Any | None:
    """A row after an event that the document reads; None where there is none."""
    return table.handlers[event.type](row or table.row(), codec.decode(event), event)


def rows(db: sa.Connection, stored: sa.Table, table: Document[Any], keys: Iterable[str]) -> dict[str, Any]:
    """The rows under these keys."""
    query = sa.select(stored).where(bulk.among(db, stored.c[table.key.name], sorted(keys)))
    return {values[0]: table.row(*map(_frozen, values[1:])) for values in db.execute(query).all()}


def _key(table: Document[Any], event: Recorded) -> str:
    if isinstance(table.key, EventId):
        return str(event.uuid)
    return event.stream if isinstance(table.key, Stream) else event.subject


def _columns(table: Document[Any], key: str, row: Any) -> dict[str, Any]:
    return {table.key.name: key} | {name: getattr(row, name) for name in table.fields}


def _frozen(value: Any) -> Any:
    """JSON gives lists back; rows hold tuples, so that a row read equals the row written."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
