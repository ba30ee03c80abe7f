"""The tables of accounts, and how the file is opened that holds them when there is no PostgreSQL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    QueuePool,
    String,
    Table,
    create_engine,
    event,
)

from shared.errors import RapportError

metadata: Final = MetaData(schema="accounts")
"""In PostgreSQL a schema, made by shared.migrations; a SQLite file has none."""
_Number: Final = BigInteger().with_variant(Integer, "sqlite")
staff = Table(
    "staff",
    metadata,
    Column("name", String, primary_key=True),
    Column("role", String, nullable=False),
    Column("password", String, nullable=False),
)
sessions = Table(
    "sessions",
    metadata,
    Column("id_hash", LargeBinary, primary_key=True),
    Column("name", ForeignKey(staff.c.name, ondelete="CASCADE"), nullable=False, index=True),
    Column("began", _Number, nullable=False),
    Column("used", _Number, nullable=False),
)
tokens = Table(
    "tokens",
    metadata,
    Column("secret_hash", LargeBinary, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("role", String, nullable=False),
)
notes = Table(
    "notes",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("at", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("detail", String, nullable=False),
)


def opened(path: Path) -> Engine:
    """The file at `path`, readable for its owner only; made when it is not there."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    # One connection for all threads: older SQLite libraries may damage a WAL file that two of them write.
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        execution_options={"schema_translate_map": {metadata.schema: None}},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
            connection.execute(f"PRAGMA {pragma}")

    with engine.connect() as connection:
        _require_durable(connection)
    metadata.create_all(engine)
    return engine


def _require_durable(connection: Connection) -> None:
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar()
    if (mode, synchronous) != ("wal", 2):
        raise RapportError(f"accounts need journal_mode=wal and synchronous=2, not {mode} and {synchronous}")
