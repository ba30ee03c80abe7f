"""Generations in a folder: a SQLite file each, with a single writing connection and readers that cannot write.

The SQLite of the Python standard library may have the WAL-reset bug of releases before 3.51.3, which needs two
connections that write or checkpoint: so only the writer ever does. Read models may be `synchronous=NORMAL`, because
their watermark stands in the same file and they can be rebuilt.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool


class SqlitePlace:
    """One file."""

    shared = False

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self.writer = _writer(path)
        self.readers = _readers(path)

    def close(self) -> None:
        """Close the file."""
        self.readers.dispose()
        self.writer.dispose()


class SqliteHome:
    """A folder of such files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, name: str) -> SqlitePlace:
        """The file of this name."""
        return SqlitePlace(self._folder / f"{name}.db")

    def drop(self, name: str) -> None:
        """Remove the file of this name."""
        for suffix in ("", "-wal", "-shm"):
            (self._folder / f"{name}.db{suffix}").unlink(missing_ok=True)


def _writer(path: Path) -> sa.Engine:
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        "sqlite://", creator=lambda: _connect(f"file:{path}", _WRITER_PRAGMAS), poolclass=StaticPool
    )
    sa.event.listen(engine, "begin", _begin_immediate)
    return engine


def _readers(path: Path) -> sa.Engine:
    engine = sa.create_engine(
        "sqlite://",
        creator=lambda: _connect(f"file:{path}?mode=ro", _READER_PRAGMAS),
        poolclass=sa.QueuePool,
        pool_size=8,
        max_overflow=24,
    )
    sa.event.listen(engine, "begin", _begin)
    return engine


_BUSY: Final = 4.0
"""Seconds to wait for a lock that only another program can hold; then whoever waits says so, and tries again."""
_WRITER_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "wal_autocheckpoint=4000", "cache_size=-8192")
_READER_PRAGMAS = ("query_only=ON", "wal_autocheckpoint=0", "cache_size=-2048")


def _connect(uri: str, pragmas: tuple[str, ...]) -> sqlite3.Connection:
    # isolation_level=None: the driver would otherwise open transactions on its own, and too late
    db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY)
    for pragma in pragmas:
        db.execute(f"PRAGMA {pragma}")
    return db


def _begin_immediate(db: Any) -> None:
    db.exec_driver_sql("BEGIN IMMEDIATE")


def _begin(db: Any) -> None:
    db.exec_driver_sql("BEGIN")
