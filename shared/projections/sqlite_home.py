"""Generations in a folder: a SQLite file each, with a single writing connection and readers that cannot write.

The SQLite of the Python standard library may have the WAL-reset bug of releases before 3.51.3, which needs two
connections that write or checkpoint: so only the writer ever does. Read models may be `synchronous=NORMAL`, because
their watermark stands in the same file and they can be rebuilt.
"""

from __future__ import annotations

import glob
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool


class SqlitePlace:
    """One file; one that is not `lasting` is thrown away after a crash, and writes nothing twice to outlive it."""

    shared = False

    def __init__(self, path: Path, *, lasting: bool = True) -> None:
        self.path = path
        self.name = path.stem
        self.folder = path.parent
        self.writer = _writer(path, _WRITER_PRAGMAS if lasting else _SCRATCH_PRAGMAS)
        self.readers = _readers(path)

    @contextmanager
    def roomy(self) -> Iterator[None]:
        """Have memory for what one long transaction writes; a replay takes a twentieth less."""
        _set(self.writer, f"cache_size=-{_ROOMY_KB}")
        try:
            yield
        finally:
            _set(self.writer, f"cache_size=-{_CACHE_KB}")

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
        _sweep(self._folder, name)


def scratch(folder: Path, name: str) -> TemporaryDirectory[str]:
    """A folder beside the file of this name, for as long as its context is open; what a crash left of one goes."""
    _sweep(folder, name)
    return TemporaryDirectory(dir=folder, prefix=f"{name}{_SCRATCH}")


def _sweep(folder: Path, name: str) -> None:
    for stray in folder.glob(f"{glob.escape(name)}{_SCRATCH}*"):
        shutil.rmtree(stray, ignore_errors=True)


def _writer(path: Path, pragmas: tuple[str, ...]) -> sa.Engine:
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine("sqlite://", creator=lambda: _connect(f"file:{path}", pragmas), poolclass=StaticPool)
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


_SCRATCH: Final = ".part-"
_BUSY: Final = 4.0
"""Seconds to wait for a lock that only another program can hold; then whoever waits says so, and tries again."""
_CACHE_KB: Final = 8_192
_ROOMY_KB: Final = 65_536
_WRITER_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "wal_autocheckpoint=4000",
    f"cache_size=-{_CACHE_KB}",
    # a statement of many rows can take itself back; by a temporary file, sums took an eighth more of a replay
    "temp_store=MEMORY",
)
_SCRATCH_PRAGMAS = ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_ROOMY_KB}")
_READER_PRAGMAS = ("query_only=ON", "wal_autocheckpoint=0", "cache_size=-2048")


def _connect(uri: str, pragmas: tuple[str, ...]) -> sqlite3.Connection:
    # isolation_level=None: the driver would otherwise open transactions on its own, and too late
    db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY)
    for pragma in pragmas:
        db.execute(f"PRAGMA {pragma}")
    return db


def _set(engine: sa.Engine, pragma: str) -> None:
    connection = engine.raw_connection()
    try:
        connection.cursor().execute(f"PRAGMA {pragma}")
    finally:
        connection.close()


def _begin_immediate(db: Any) -> None:
    db.exec_driver_sql("BEGIN IMMEDIATE")


def _begin(db: Any) -> None:
    db.exec_driver_sql("BEGIN")
