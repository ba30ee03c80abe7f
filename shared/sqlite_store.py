"""The embedded event store: one SQLite file, one writing process, one fsync for all appends that arrive together.

Positions are given inside the write transaction by the only writer, so position order is commit order: no reader
can ever pass over an event that becomes visible later.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID, uuid4

import apsw

from shared.envelope import Draft, Head, Recorded
from shared.errors import RapportError, StoreFailed
from shared.sqlite_checkpoints import Checkpoints
from shared.sqlite_files import open_durable, open_reader, scalar, take_lock
from shared.sqlite_scan import SqliteScan
from shared.sqlite_writer import Append, Writer
from shared.store import EMPTY, PAGE_BYTES, PAGE_EVENTS, History, Page, check_sizes
from shared.threads import in_thread

_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS store(id TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS streams(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE IF NOT EXISTS types(id INTEGER PRIMARY KEY, name TEXT NOT NULL, schema INTEGER NOT NULL,"
    " UNIQUE(name, schema))",
    "CREATE TABLE IF NOT EXISTS events(position INTEGER PRIMARY KEY, stream_id INTEGER NOT NULL,"
    " version INTEGER NOT NULL, type_id INTEGER NOT NULL, subject_id INTEGER NOT NULL, event_id BLOB NOT NULL,"
    " data BLOB NOT NULL, metadata BLOB NOT NULL, hash BLOB NOT NULL, UNIQUE(stream_id, version))",
)
_COLUMNS: Final = (
    "SELECT e.position, s.name, e.version, e.event_id, t.name, t.schema, u.name, e.data, e.metadata, e.hash"
)
_JOINS: Final = " JOIN streams u ON u.id = e.subject_id JOIN types t ON t.id = e.type_id"
_STREAMS: Final = (
    f"{_COLUMNS} FROM json_each(?) wanted CROSS JOIN streams s ON s.name = wanted.value"
    f" CROSS JOIN events e ON e.stream_id = s.id{_JOINS} ORDER BY e.stream_id, e.version"
)
_LOG: Final = f"{_COLUMNS} FROM events e JOIN streams s ON s.id = e.stream_id{_JOINS} WHERE e.position > ?"
_OF_TYPES: Final = " AND e.type_id IN (SELECT id FROM types WHERE name IN (SELECT value FROM json_each(?)))"
_MAX_BATCH: Final = 512
_SLOW_DISK: Final = 0.002
"""Seconds. A faster disk is committed to on the event loop itself; a slower one from a thread, so the loop goes on."""
_LOOK_AGAIN: Final = 1.0
"""Seconds until a follower beside another writing process, which cannot wake it, looks again."""


class _Waiting(NamedTuple):
    append: Append
    done: asyncio.Future[list[Recorded]]


class SqliteStore:
    """The log in a file. Open it once with `writable=True`; any number of read-only ones may stand beside it."""

    def __init__(self, path: Path, *, writable: bool = True) -> None:
        self._path = path
        self._lock = take_lock(path) if writable else None
        self._db = open_durable(path) if writable else open_reader(path)
        if writable:
            create(self._db)
        self._writer = Writer(self._db)
        self._checkpoints = Checkpoints(self._db, path) if writable else None
        self._thread = ThreadPoolExecutor(1, "store-writer")
        self._reader = open_reader(path)
        self._id = UUID(scalar(self._db, "SELECT id FROM store"))
        self._waiting: list[_Waiting] = []
        self._flushing = False
        self._disk_seconds = 0.0
        self._loads: dict[str, asyncio.Future[History]] = {}
        self._grown = asyncio.Event()

    @property
    def id(self) -> UUID:
        """Whose positions these are."""
        return self._id

    async def position(self) -> int:
        """The position of the last durable event."""
        if self._lock is not None:
            return self._writer.position
        return int(scalar(self._reader, "SELECT coalesce(max(position), 0) FROM events"))

    async def probe(self) -> str | None:
        """What is wrong with the disk, as health asks it."""
        return self._writer.broken

    async def load(self, stream: str) -> History:
        """Everything in one stream. Loads asked for in one tick of the loop share one query."""
        future = self._loads.get(stream)
        if future is None:
            loop = asyncio.get_running_loop()
            if not self._loads:
                loop.call_soon(self._answer_loads)
            future = self._loads[stream] = loop.create_future()
        return await asyncio.shield(future)

    async def append(self, stream: str, head: Head, drafts: Sequence[Draft]) -> list[Recorded]:
        """Add all events or none, if the stream still ends at `head`; durable when it returns."""
        check_sizes(stream, drafts)
        if self._lock is None:
            raise StoreFailed("this store is open for reading only")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(Append(stream, head, drafts), loop.create_future())
        self._waiting.append(waiting)
        if not self._flushing:
            self._flushing = True
            loop.call_soon(self._flush)
        return await waiting.done

    async def pages(self, after: int, *, types: Collection[str] | None = None) -> AsyncIterator[Page]:
        """Everything behind a position, up to the head."""
        reader = open_reader(self._path)
        try:
            async for page in self._to_head(reader, after, types):
                yield page
        finally:
            reader.close()

    async def follow(self, after: int, *, types: Collection[str] | None = None) -> AsyncIterator[Page]:
        """Like `pages`, then waits for more."""
        reader = open_reader(self._path)
        try:
            while True:
                grown = self._grown
                async for page in self._to_head(reader, after, types):
                    yield page
                    after = page.position
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_AGAIN):  # wait_for may swallow a cancellation
                        await grown.wait()
        finally:
            reader.close()

    def scan(self, after: int, upto: int) -> SqliteScan:
        """The same part of the file, for a fold in columns."""
        return SqliteScan(self._path, after, upto)

    async def close(self) -> None:
        """Finish what is queued and let go of the file."""
        while self._flushing:
            await asyncio.gather(*(w.done for w in self._waiting), return_exceptions=True)
            await asyncio.sleep(0)
        self._thread.shutdown(wait=True)
        self._reader.close()
        if self._checkpoints is not None:
            self._checkpoints.close()
        self._db.close()
        if self._lock is not None:
            self._lock.close()

    def _flush(self) -> None:
        batch, self._waiting = self._waiting[:_MAX_BATCH], self._waiting[_MAX_BATCH:]
        appends = [waiting.append for waiting in batch]
        if self._disk_seconds < _SLOW_DISK:
            self._acknowledge(batch, self._commit(appends))
            return
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._thread, self._commit, appends)
        running.add_done_callback(lambda done: self._acknowledge(batch, done.result()))

    def _commit(self, appends: Sequence[Append]) -> list[list[Recorded] | RapportError]:
        outcomes = self._writer.commit(appends)
        self._disk_seconds += 0.1 * (self._writer.disk_seconds - self._disk_seconds)
        if self._checkpoints is not None:
            self._checkpoints.after_commit()
        return outcomes

    def _acknowledge(self, batch: Sequence[_Waiting], outcomes: Sequence[list[Recorded] | RapportError]) -> None:
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if waiting.done.done():  # the caller was cancelled; its append stands all the same
                continue
            if isinstance(outcome, RapportError):
                waiting.done.set_exception(outcome)
            else:
                waiting.done.set_result(outcome)
        self._grown.set()
        self._grown = asyncio.Event()
        self._flushing = bool(self._waiting)
        if self._flushing:
            asyncio.get_running_loop().call_soon(self._flush)

    def _answer_loads(self) -> None:
        asked, self._loads = self._loads, {}
        try:
            rows = self._reader.execute(_STREAMS, (json.dumps(list(asked)),)).fetchall()
        except apsw.Error as error:
            for future in asked.values():
                future.set_exception(StoreFailed(f"the store cannot be read: {error}"))
            return
        for stream, events in groupby(map(Recorded._make, rows), key=itemgetter(1)):
            found = tuple(events)
            asked.pop(stream).set_result(History(found, Head(found[-1].version, found[-1].hash)))
        for future in asked.values():
            future.set_result(EMPTY)

    async def _to_head(self, reader: apsw.Connection, after: int, types: Collection[str] | None) -> AsyncIterator[Page]:
        at_head = False
        while not at_head:
            page, at_head = await in_thread(_read_page, reader, after, types)
            if page.position > after:
                yield page
                after = page.position


def create(db: apsw.Connection) -> None:
    """Make the tables of a store where there are none."""
    with db:
        for statement in _SCHEMA:
            db.execute(statement)
        if scalar(db, "SELECT id FROM store") is None:
            db.execute("INSERT INTO store VALUES (?)", (str(uuid4()),))


def _read_page(reader: apsw.Connection, after: int, types: Collection[str] | None) -> tuple[Page, bool]:
    """The next page, and whether it ends at the head. One read transaction, so that both are of one moment."""
    query, bound = _LOG, (after,) if types is None else (after, json.dumps(sorted(types)))
    if types is not None:
        query += _OF_TYPES
    with reader:
        head = int(scalar(reader, "SELECT coalesce(max(position), 0) FROM events"))
        if head <= after:
            return Page([], after), True
        events: list[Recorded] = []
        size = 0
        for row in reader.execute(f"{query} ORDER BY e.position LIMIT {PAGE_EVENTS}", bound):
            event = Recorded._make(row)
            events.append(event)
            size += len(event.data)
            if size >= PAGE_BYTES:
                break
    full = len(events) == PAGE_EVENTS or size >= PAGE_BYTES
    return Page(events, events[-1].position if full else head), not full
