"""Opening a PostgreSQL database that must not lose what it acknowledged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa

from shared.errors import RapportError, StoreFailed, Unreachable

CONNECTION: Final = {
    "connect_timeout": "3",
    "keepalives_idle": "3",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
    # The server must notice as soon that we are gone: a machine that vanished would keep its locks for two hours.
    "options": "-c tcp_keepalives_idle=3 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=5000"
    # A process that is frozen in the middle of a transaction keeps its locks; nobody is to wait for it for long.
    " -c idle_in_transaction_session_timeout=10s -c lock_timeout=4s",
}
"""How libpq is to connect, and notice within seconds that the other side is dead; in seconds, user timeouts in ms."""
_SCHEMES: Final = ("postgres", "postgresql")
_POOL_SECONDS: Final = 5


def engine(url: str, *, application: str = "rapport", pool_size: int = 5, max_overflow: int = 5) -> sa.Engine:
    """Connections to `postgresql://…`, made when they are needed; what its query string says comes first.

    Each new connection raises StoreFailed when the server does not make commits durable.

    Raises:
        RapportError: the URL is not one of PostgreSQL.
    """
    given = _parsed(url)
    complete = given.update_query_dict({**CONNECTION, "application_name": application, **given.query})
    opened = sa.create_engine(
        complete.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_timeout=_POOL_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,  # they are keys and hashes of passwords, and errors are logged
    )
    sa.event.listen(opened, "connect", _require_durable)
    return opened


@contextmanager
def answering() -> Iterator[None]:
    """Raise Unreachable where the database is stopped, cut off or overrun."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
        raise Unreachable(f"PostgreSQL does not answer: {error.orig}") from error
    except sa.exc.TimeoutError as error:
        raise Unreachable("all connections to PostgreSQL are in use") from error


def lock_key(name: str) -> int:
    """The number that stands for a name: PostgreSQL knows its advisory locks by 64 bits."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def _parsed(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        parsed = None
    # The text may hold a password: it is not repeated.
    if parsed is None or parsed.drivername not in _SCHEMES:
        raise RapportError("a PostgreSQL database is named by postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    return parsed


def _require_durable(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
        fsync, synchronous_commit = cursor.fetchone()
    connection.rollback()
    if "off" in {fsync, synchronous_commit}:
        raise StoreFailed(
            f"PostgreSQL loses commits: fsync={fsync}, synchronous_commit={synchronous_commit}; neither may be off"
        )
