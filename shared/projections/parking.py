"""Parked events: what a projection could not apply, with the rest of that subject's events, until somebody decides."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from shared.clock import stamp, utc_now
from shared.envelope import Recorded
from shared.errors import UnreadableEvent
from shared.projections import bulk
from shared.projections.storage import Storage

UNREADABLE: Final = "unreadable"
APPLY: Final = "apply"
HELD: Final = "held"
_REASON_CHARACTERS: Final = 500


def subjects(db: sa.Connection, storage: Storage, some: Collection[str]) -> set[str]:
    """Which of these subjects have parked events."""
    query = sa.select(storage.parked.c.subject).where(bulk.among(db, storage.parked.c.subject, sorted(some)))
    return set(db.execute(query.distinct()).scalars())


def park(
    db: sa.Connection, storage: Storage, event: Recorded, *, topic: str, partition: int, error: Exception | None
) -> None:
    """Park one event: because of an error, or (without one) behind an earlier parked event of its subject."""
    row = event._asdict() | {
        "event_id": event.id,
        "topic": topic,
        "partition": partition,
        "place": event.position,
        "category": HELD if error is None else _category(error),
        "reason": "an earlier event of this subject is parked" if error is None else _reason(error),
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
        "subject": (key or b"").decode(errors="replace"),
        "stream": "",
        "version": 0,
        "event_id": b"",
        "type": "",
        "schema": 0,
        "data": payload or b"",
        "metadata": b"",
        "hash": b"",
        "category": UNREADABLE,
        "reason": reason[:_REASON_CHARACTERS],
        "attempts": 1,
        "first_at": stamp(utc_now()),
    }
    _keep(db, storage, row)


def listed(db: sa.Connection, storage: Storage) -> Sequence[sa.Row[Any]]:
    """Every parked event, oldest first."""
    return db.execute(sa.select(storage.parked).order_by(storage.parked.c.position)).all()


def count(db: sa.Connection, storage: Storage) -> int:
    """How many events are parked."""
    return int(db.execute(sa.select(sa.func.count()).select_from(storage.parked)).scalar_one())


def _keep(db: sa.Connection, storage: Storage, row: Mapping[str, Any]) -> None:
    bulk.insert(db, storage.parked, [tuple(row[column.name] for column in storage.parked.columns)])


def _category(error: Exception) -> str:
    return UNREADABLE if isinstance(error, UnreadableEvent) else APPLY


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:_REASON_CHARACTERS]
