"""Generations in a PostgreSQL database: a schema each, written by any number of processes at the same time.

A transaction finds its generation by the search path, so that the same statements serve SQLite and PostgreSQL.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

import sqlalchemy as sa
from psycopg.adapt import Loader

from shared.projections.locks import exclusive

_SCHEMA: Final = "rapport_schema"


class PostgresPlace:
    """One schema."""

    shared = True
    folder = None

    def __init__(self, engine: sa.Engine, name: str) -> None:
        self.name = name
        self.writer = engine.execution_options(**{_SCHEMA: name})
        self.readers = self.writer.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def roomy(self) -> AbstractContextManager[None]:
        """The server has its own."""
        return nullcontext()

    def close(self) -> None:
        """The connections belong to whoever opened the database."""


class PostgresHome:
    """A database of such schemas; `prefix` keeps their names apart from others in it."""

    def __init__(self, engine: sa.Engine, prefix: str = "read_") -> None:
        self._engine = engine
        self._prefix = prefix
        sa.event.listen(engine, "begin", _find_schema)
        sa.event.listen(engine, "checkout", _read_sums_as_integers)

    def place(self, name: str) -> PostgresPlace:
        """The schema of this name."""
        schema = self._prefix + name
        with self._engine.begin() as db:
            exclusive(db, schema)
            db.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
        return PostgresPlace(self._engine, schema)

    def drop(self, name: str) -> None:
        """Remove the schema of this name."""
        with self._engine.begin() as db:
            db.execute(sa.schema.DropSchema(self._prefix + name, cascade=True, if_exists=True))


def _find_schema(db: sa.Connection) -> None:
    options = db.get_execution_options()
    if _SCHEMA not in options:
        return
    settings = [sa.func.set_config("search_path", options[_SCHEMA], True)]  # noqa: FBT003, for this transaction
    if options.get("postgresql_readonly"):  # who only reads holds no locks, and may compute for long
        settings.append(sa.func.set_config("idle_in_transaction_session_timeout", "0", True))  # noqa: FBT003
    db.execute(sa.select(*settings))


class _Integer(Loader):
    """Sums of integers come as numeric, which would be read as Decimal; no read model has other numerics."""

    def load(self, data: bytes | bytearray | memoryview) -> int:
        return int(bytes(data))


def _read_sums_as_integers(connection: Any, record: Any, _proxy: Any) -> None:
    # at each checkout, because some connections are older than this home
    if "reads_integers" not in record.info:
        connection.adapters.register_loader("numeric", _Integer)
        record.info["reads_integers"] = True
