"""Locks between processes that write to one PostgreSQL database; a SQLite file has one writer anyway."""

from __future__ import annotations

import sqlalchemy as sa

from shared.postgres import lock_key


def exclusive(db: sa.Connection, name: str) -> None:
    """Wait until no other transaction holds this lock; it ends with the transaction."""
    if db.dialect.name == "postgresql":
        db.execute(sa.select(sa.func.pg_advisory_xact_lock(lock_key(name))))


def patient(db: sa.Connection) -> None:
    """Let this transaction hold what it has locked while it waits for others; its connection would be cut otherwise."""
    if db.dialect.name == "postgresql":
        db.execute(sa.select(sa.func.set_config("idle_in_transaction_session_timeout", "0", True)))  # noqa: FBT003


def taken(db: sa.Connection, name: str) -> bool:
    """Whether this transaction now holds the lock; False at once when another one does."""
    if db.dialect.name != "postgresql":
        return True
    return bool(db.execute(sa.select(sa.func.pg_try_advisory_xact_lock(lock_key(name)))).scalar_one())
