"""Opening a SQLite file that must not lose what it acknowledged."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO, Any, Final

import apsw

from shared.errors import StoreFailed, StoreInUse

_FULL: Final = 2
_FIXED_WAL: Final = 3_051_003
"""SQLite 3.51.3: before it, two connections that write and checkpoint one WAL file can corrupt it."""


def open_durable(path: Path) -> apsw.Connection:
    """A read-write connection whose commits survive a power cut: WAL with an fsync per commit, read back."""
    if apsw.SQLITE_VERSION_NUMBER < _FIXED_WAL:
        raise StoreFailed(f"SQLite {apsw.sqlite_lib_version()} has the WAL-reset bug; 3.51.3 or later is needed")
    db = apsw.Connection(str(path))
    db.set_busy_timeout(5_000)
    mode = db.pragma("journal_mode", "wal")
    db.pragma("synchronous", "full")
    db.pragma("secure_delete", True)  # noqa: FBT003, the pragma's own value
    if mode != "wal" or db.pragma("synchronous") != _FULL:
        raise StoreFailed(f"{path} does not take WAL with synchronous=FULL (network file system?)")
    return db


def open_reader(path: Path) -> apsw.Connection:
    """A connection that can only read."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    db.set_busy_timeout(5_000)
    return db


def scalar(db: apsw.Connection, query: str, bound: tuple[Any, ...] = ()) -> Any:
    """The first column of the first row, None without a row."""
    row = db.execute(query, bound).fetchone()
    return row[0] if row else None


def take_lock(path: Path) -> IO[Any]:
    """Be the one process that writes a store.

    Raises:
        StoreInUse: another one is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(path.name + ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise StoreInUse(f"{path} is written by another process; a store has one writer") from None
    return lock
