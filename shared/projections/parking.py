"""Parked events: what a projection could not apply, with the rest of that subject's events, until somebody decides."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from shared.clock import stamp, utc_now
from shared.codec import MASKED
from shared.envelope import Recorded
from shared.errors import Refused, UnreadableEvent
from shared.projections import bulk
from shared.projections.storage import Storage

UNREADABLE: Final = "unreadable"
APPLY: Final = "apply"
HELD: Final = "held"
_REASON_CHARACTERS: Final = 500
_KEY: Final = ("topic", "partition", "place")
_BULKY: Final = frozenset({"data", "metadata", "hash"})
_POSITION: Final = re.compile(r"[0-9]{1,18}")
_RECORD: Final = re.compile(r"([A-Za-z0-9._-]{1,249}):([0-9]{1,9}):([0-9]{1,18})")

Row = sa.Row[Any]
"""One parked event."""

SKIPPED: Final[sa.Executable] = (
    sa.select(*map(sa.column, _KEY)).select_from(sa.table("skipped")).order_by(*map(sa.column, reversed(_KEY)))
)
"""What was skipped in a generation; `name_of` names it."""


def subjects(db: sa.Connection, storage: Storage, some: Collection[str]) -> set[str]:
    """Which of these subjects have parked events."""
    query = sa.select(storage.parked.c.subject).where(bulk.among(db, storage.parked.c.subject, sorted(some)))
    return set(db.execute(query.distinct()).scalars())


def park(
    db: sa.Connection,
    storage: Storage,
    event: Recorded,
    *,
    topic: str,
    partition: int,
    error: Exception | None,
    secrets: Collection[str] = (),
) -> None:
    """Park one event: because of an error, or (without one) behind an earlier parked event of its subject.

    What the error says is kept for operators to read, but for `secrets`.
    """
    row = event._asdict() | {
        "event_id": event.id,
        "topic": topic,
        "partition": partition,
        "place": event.position,
        "category": HELD if error is None else _category(error),
        "reason": "an earlier event of this subject is parked" if error is None else _reason(error, secrets),
        "attempts": 0 if error is None else 1,
        "first_at": stamp(utc_now()),
    }
    _keep(db, storage, row)


def park_unreadable(
    db: sa.Connection,
    storage: Storage,
    *,
    topic: str,
    partition: int,
    offset: int,
    key: bytes | None,
    reason: str,
    payload: bytes | None,
) -> None:
    """Park a record that is not even an event; what its key names as the subject waits behind it."""
    row = {
        "topic": topic,
        "partition": partition,
        "place": -1 - offset,  # below zero, where no position is
        "position": 0,
        "subject": _storable((key or b"").decode(errors="replace")),
        "stream": "",
        "version": 0,
        "event_id": b"",
        "type": "",
        "schema": 0,
        "data": payload or b"",
        "metadata": b"",
        "hash": b"",
        "category": UNREADABLE,
        "reason": _storable(reason)[:_REASON_CHARACTERS],
        "attempts": 1,
        "first_at": stamp(utc_now()),
    }
    _keep(db, storage, row)


def listed(db: sa.Connection, storage: Storage) -> Sequence[Row]:
    """Every parked event, oldest first."""
    return db.execute(sa.select(storage.parked).order_by(storage.parked.c.position)).all()


def told(db: sa.Connection, storage: Storage, subject: str | None = None) -> Sequence[Row]:
    """What can be told of the parked events without their content, of one subject or of all, in the order they wait."""
    query = sa.select(*(column for column in storage.parked.columns if column.name not in _BULKY))
    if subject is not None:
        query = query.where(storage.parked.c.subject == subject)
    return db.execute(_in_order(query, storage)).all()


def of(db: sa.Connection, storage: Storage, subject: str) -> Sequence[Row]:
    """The parked events of one subject, in the order they are to be applied: records that are no events first."""
    return db.execute(_in_order(sa.select(storage.parked).where(storage.parked.c.subject == subject), storage)).all()


def found(db: sa.Connection, table: sa.Table, name: str) -> Row | None:
    """The parked (or skipped) event of this name, as `name_of` gives it.

    Raises:
        Refused: it is no such name.
    """
    if _POSITION.fullmatch(name):
        return db.execute(sa.select(table).where(table.c.place == int(name))).first()
    record = _RECORD.fullmatch(name)
    if record is None:
        raise Refused("must be a position, or topic:partition:offset of a record that is no event", field="position")
    topic, partition, offset = record.groups()
    key = sa.and_(table.c.topic == topic, table.c.partition == int(partition), table.c.place == -1 - int(offset))
    return db.execute(sa.select(table).where(key)).first()


def name_of(row: Row) -> str:
    """How people name a parked event: by its position, or by where the record stands that is no event."""
    return str(row.place) if row.place >= 0 else f"{row.topic}:{row.partition}:{-1 - row.place}"


def is_event(row: Row) -> bool:
    """Whether there is an event in it: not in a record that is none, or of which not enough arrived."""
    return bool(row.place >= 0 and row.event_id)


def event_of(row: Row) -> Recorded:
    """The event as it was stored."""
    stored = (row.type, row.schema, row.subject, row.data, row.metadata, row.hash)
    return Recorded(row.position, row.stream, row.version, row.event_id, *stored)


def failed_again(db: sa.Connection, storage: Storage, row: Row, error: Exception, secrets: Collection[str]) -> None:
    """Note one more attempt in vain, and why."""
    tried = {"category": _category(error), "reason": _reason(error, secrets), "attempts": row.attempts + 1}
    db.execute(sa.update(storage.parked).where(_same(storage.parked, row)).values(**tried))


def remove(db: sa.Connection, storage: Storage, rows: Sequence[Row]) -> None:
    """These events wait no more."""
    bulk.remove(db, storage.parked, _KEY, [(row.topic, row.partition, row.place) for row in rows])


def skip(db: sa.Connection, storage: Storage, row: Row, *, actor: str, reason: str) -> None:
    """Move an event from those that wait to those that never will be applied."""
    remove(db, storage, [row])
    gone = (row.topic, row.partition, row.place, row.subject, row.type, reason, actor, stamp(utc_now()))
    bulk.insert(db, storage.skipped, [gone])


def skipped(db: sa.Connection, storage: Storage, subject: str) -> set[int]:
    """The positions of the events of one subject that were given up."""
    c = storage.skipped.c
    return set(db.execute(sa.select(c.place).where(c.subject == subject)).scalars())


def count(db: sa.Connection, storage: Storage, before: str | None = None) -> int:
    """How many events are parked, all or those since before an instant."""
    query = sa.select(sa.func.count()).select_from(storage.parked)
    if before is not None:
        query = query.where(storage.parked.c.first_at < before)
    return int(db.execute(query).scalar_one())


def _in_order(query: sa.Select[Any], storage: Storage) -> sa.Select[Any]:
    table = storage.parked
    return query.order_by(table.c.position, table.c.topic, table.c.partition, table.c.place.desc())


def _same(table: sa.Table, row: Row) -> sa.ColumnElement[bool]:
    return sa.and_(*(table.c[name] == getattr(row, name) for name in _KEY))


def _keep(db: sa.Connection, storage: Storage, row: Mapping[str, Any]) -> None:
    bulk.insert(db, storage.parked, [tuple(row[column.name] for column in storage.parked.columns)])


def _category(error: Exception) -> str:
    return UNREADABLE if isinstance(error, UnreadableEvent) else APPLY


def _reason(error: Exception, secrets: Collection[str]) -> str:
    reason = f"{type(error).__name__}: {error}"
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        reason = reason.replace(secret, MASKED)
    return _storable(reason)[:_REASON_CHARACTERS]


def _storable(text: str) -> str:
    """A text of unknown origin as both databases take it: what PostgreSQL refuses would stop a page for ever."""
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")
