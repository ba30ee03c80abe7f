"""Group commit: all appends that wait become durable in one transaction and one fsync."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, cast

import apsw

from shared.envelope import NO_STREAM, Draft, Head, Recorded, chained
from shared.errors import Conflict, RapportError, StoreFailed
from shared.sqlite_files import scalar

_INSERT: Final = "INSERT INTO events VALUES "
_ROW: Final = "(?,?,?,?,?,?,?,?,?)"
_NAME: Final = "INSERT INTO streams(id, name) VALUES "
_ROWS_A_STATEMENT: Final = 512
"""Above some 800 rows the text of the statement is too long for the cache of prepared statements."""
_CACHED_STREAMS: Final = 10_000
_LOOK_UP: Final = (
    "SELECT s.name, s.id, e.version, e.hash FROM json_each(?) wanted CROSS JOIN streams s ON s.name = wanted.value"
    " LEFT JOIN events e ON e.stream_id = s.id"
    " AND e.version = (SELECT max(version) FROM events WHERE stream_id = s.id)"
)

_Found = tuple[str, int, int | None, bytes | None]


class Append(NamedTuple):
    """What one caller wants appended."""

    stream: str
    head: Head
    drafts: Sequence[Draft]


@dataclass(slots=True)
class _Stream:
    id: int
    head: Head


class Writer:
    """The only thing that writes the events table; used by one thread at a time."""

    def __init__(self, db: apsw.Connection) -> None:
        # A statement of many rows keeps a journal of the index pages that it changes, to take itself back. In a
        # temporary file it cost a quarter of the inserts' CPU time.
        db.pragma("temp_store", "memory")
        self._db = db
        self.position: int = scalar(db, "SELECT coalesce(max(position), 0) FROM events")
        self.disk_seconds = 0.0
        """What the last COMMIT took: writing the log and the fsync."""
        self._last_id: int = scalar(db, "SELECT coalesce(max(id), 0) FROM streams")
        self._types: dict[tuple[str, int], int] = {
            (name, schema): id_
            for id_, name, schema in cast(
                "list[tuple[int, str, int]]", db.execute("SELECT id, name, schema FROM types")
            )
        }
        self._known: dict[str, _Stream] = {}
        self._older: dict[str, _Stream] = {}
        self.broken: str | None = None
        """Why nothing is accepted any more."""

    def commit(self, batch: Sequence[Append]) -> list[list[Recorded] | RapportError]:
        """The outcome of each append, in order; what is not an error is durable."""
        if self.broken is not None:
            return [StoreFailed(self.broken) for _ in batch]
        try:
            return self._commit(batch)
        except apsw.ConstraintError:
            self._forget()
            if len(batch) == 1:
                return [Conflict(f"{batch[0].stream} moved on")]
            # the index caught what the heads in memory did not: only the loser may fail
            return list(itertools.chain.from_iterable(self.commit([append]) for append in batch))
        except (apsw.IOError, apsw.CorruptError) as error:
            # after a failed fsync the kernel may report later ones as good without the pages being on disk
            self.broken = f"the disk failed ({error}); start again, which reads back what is really there"
            return [StoreFailed(self.broken) for _ in batch]
        except (apsw.Error, OSError, MemoryError, ValueError) as error:
            self._forget()
            return [StoreFailed(f"the append is not durable: {error}") for _ in batch]
        except BaseException:
            self._forget()
            raise

    def _commit(self, batch: Sequence[Append]) -> list[list[Recorded] | RapportError]:
        self._recall(batch)
        known = self._known
        names: list[object] = []
        rows: list[object] = []
        outcomes: list[list[Recorded] | RapportError] = []
        position = self.position
        for stream, head, drafts in batch:
            own = known.get(stream)
            now = own.head if own else NO_STREAM
            if now != head:
                outcomes.append(Conflict(f"{stream} is at version {now.version}, not {head.version}"))
                continue
            recorded: list[Recorded] = []
            version, digest = head
            for draft in drafts:
                id_, type_, schema, subject, data, metadata = draft
                own = own or self._name(stream, names)
                about = known.get(subject) or self._name(subject, names)
                type_id = self._types.get((type_, schema)) or self._new_type(type_, schema)
                position += 1
                version += 1
                digest = chained(digest, stream, version, draft)
                rows += (position, own.id, version, type_id, about.id, id_, data, metadata, digest)
                recorded.append(
                    Recorded(position, stream, version, id_, type_, schema, subject, data, metadata, digest)
                )
            if own:
                own.head = Head(version, digest)
            outcomes.append(recorded)
        if rows:
            self._write(names, rows)
        self.position = position
        return outcomes

    def _write(self, names: Sequence[object], rows: Sequence[object]) -> None:
        # One statement for many rows: each statement releases the GIL once, and a busy projection thread then
        # costs one wait a batch; row by row it was 200 times slower.
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._insert(_NAME, "(?,?)", names)
            self._insert(_INSERT, _ROW, rows)
            started = time.perf_counter()
            self._db.execute("COMMIT")
            self.disk_seconds = time.perf_counter() - started
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _insert(self, verb: str, row: str, values: Sequence[object]) -> None:
        width = row.count("?")
        for start in range(0, len(values), _ROWS_A_STATEMENT * width):
            some = values[start : start + _ROWS_A_STATEMENT * width]
            self._db.execute(verb + ",".join([row] * (len(some) // width)), some)

    def _new_type(self, name: str, schema: int) -> int:
        # its own small transaction: a type without events does no harm, and it happens once a type
        self._db.execute("INSERT OR IGNORE INTO types(name, schema) VALUES (?, ?)", (name, schema))
        id_: int = scalar(self._db, "SELECT id FROM types WHERE name = ? AND schema = ?", (name, schema))
        self._types[name, schema] = id_
        return id_

    def _name(self, name: str, names: list[object]) -> _Stream:
        self._last_id += 1
        names += (self._last_id, name)
        self._known[name] = named = _Stream(self._last_id, NO_STREAM)
        return named

    def _recall(self, batch: Sequence[Append]) -> None:
        """Have in memory what a batch names, as far as it exists."""
        if len(self._known) > _CACHED_STREAMS:
            self._known, self._older = {}, self._known
        names = {append.stream for append in batch}
        names.update([draft.subject for append in batch for draft in append.drafts])
        missing = names.difference(self._known)
        if not missing:
            return
        for name in [name for name in missing if name in self._older]:
            self._known[name] = self._older[name]
            missing.remove(name)
        found = cast("list[_Found]", self._db.execute(_LOOK_UP, (json.dumps(list(missing)),)).fetchall())
        for name, id_, version, digest in found:
            head = NO_STREAM if version is None or digest is None else Head(version, digest)
            self._known[name] = _Stream(id_, head)

    def _forget(self) -> None:
        self._known, self._older = {}, {}
