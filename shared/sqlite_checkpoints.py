"""Moving what was committed from the write-ahead log into the database file, so that no append waits for it."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Final

import apsw

from shared.sqlite_files import open_durable

_PAGES: Final = 16_000
"""So many new pages in the log, 64 MB, are moved.

At a quarter of it, one commit in a hundred waits for the disk that the moving keeps busy: p99 was 22 ms instead of 5.
"""
_LITTLE: Final = 8
"""A tail of the log is short when the whole is so many times as long."""
_IDLE_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)


class Checkpoints:
    """Checkpoints one writer's file, from a second connection in a thread.

    A log that is written without a pause would grow for ever: it starts again only behind a checkpoint after which
    nothing is left, and some page is always new. So the writer itself moves the tail, between two commits, as soon as
    the thread has left only little. To write over the same pages takes half the time that a growing file takes.
    """

    def __init__(self, writer: apsw.Connection, path: Path) -> None:
        self._writer = writer
        self._db = open_durable(path)
        self._db.set_busy_timeout(0)
        self._pages = self._tried = self._moved = 0
        self._passed = False
        self._wanted = threading.Event()
        self._closing = False
        writer.set_wal_hook(self._committed)  # takes the place of SQLite's own checkpoints, which are part of a commit
        self._thread = threading.Thread(target=self._run, name="store-checkpoints", daemon=True)
        self._thread.start()

    def after_commit(self) -> None:
        """Move the tail if it is short; called by the writer between two commits."""
        if self._passed and (self._pages - self._moved) * _LITTLE <= self._pages:
            self._passed = False  # once for each checkpoint of the thread: a reader may need the log as it is
            self._checkpoint(self._writer)

    def close(self) -> None:
        """Move everything and leave no log, unless another process reads just now."""
        self._closing = True
        self._wanted.set()
        self._thread.join()
        self._checkpoint(self._db, apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self._db.close()

    def _committed(self, _db: apsw.Connection, _name: str, pages: int) -> int:
        asleep = self._pages == self._moved
        if pages < self._pages:  # the log has started again
            self._tried = self._moved = 0
        self._pages = pages
        if asleep or pages - self._tried >= _PAGES:
            self._wanted.set()
        return apsw.SQLITE_OK

    def _run(self) -> None:
        self._checkpoint(self._db)  # what a crash has left
        while not self._closing:
            idle = not self._wanted.wait(None if self._pages == self._moved else _IDLE_SECONDS)
            self._wanted.clear()
            if idle or self._pages - self._tried >= _PAGES:
                self._tried = self._pages
                self._checkpoint(self._db)
                self._passed = True

    def _checkpoint(self, db: apsw.Connection, mode: int = apsw.SQLITE_CHECKPOINT_PASSIVE) -> None:
        try:
            _, moved = db.wal_checkpoint(mode=mode)
            self._moved = min(moved, self._pages)  # the log may have started again meanwhile
        except apsw.BusyError:
            pass
        except apsw.Error as error:
            _log.warning("the log of the store stays as it is, it cannot be moved into its file: %s", error)
