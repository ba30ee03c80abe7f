"""Group commit: all appends that wait become durable in one transaction and one fsync."""

from __future__ import annotations

import itertools
import json
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, cast

import apsw

from shared.envelope import NO_STREAM, Draft, Head, Recorded, link
from shared.errors import Conflict, RapportError, StoreFailed
from shared.sqlite_files import scalar

_INSERT: Final = "INSERT INTO events VALUES "
_ROW: Final = "(?,?,?,?,?,?,?,?,?)"
_ROWS_A_STATEMENT: Final = 1_000
_CACHED_STREAMS: Final = 10_000
_LOOK_UP: Final = (
    "SELECT s.name, s.id, e.version, e.hash FROM json_each(?) wanted CROSS JOIN streams s ON s.name = wanted.value"
    " LEFT JOIN events e ON e.stream_id = s.id"
    " AND e.version = (SELECT max(version) FROM events WHERE stream_id = s.id)"
)

Row = tuple[int, int, int, int, int, bytes, bytes, bytes, bytes]
_Found = tuple[str, int, int | None, bytes | None]


class Append(NamedTuple):
    """What one caller wants appended."""

    stream: str
    head: Head
    drafts: Sequence[Draft]


class _Known(NamedTuple):
    id: int
    head: Head


class Writer:
    """The only thing that writes the events table; used by one thread at a time."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self.position: int = scalar(db, "SELECT coalesce(max(position), 0) FROM events")
        self._last_id: int = scalar(db, "SELECT coalesce(max(id), 0) FROM streams")
        self._types: dict[tuple[str, int], int] = {
            (name, schema): id_
            for id_, name, schema in cast(
                "list[tuple[int, str, int]]", db.execute("SELECT id, name, schema FROM types")
            )
        }
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._broken: str | None = None

    def commit(self, batch: Sequence[Append]) -> list[list[Recorded] | RapportError]:
        """The outcome of each append, in order; what is not an error is durable."""
        if self._broken is not None:
            return [StoreFailed(self._broken) for _ in batch]
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
            self._broken = f"the disk failed ({error}); start again, which reads back what is really there"
            return [StoreFailed(self._broken) for _ in batch]
        except (apsw.Error, OSError, MemoryError) as error:
            self._forget()
            return [StoreFailed(f"the append is not durable: {error}") for _ in batch]

    def _commit(self, batch: Sequence[Append]) -> list[list[Recorded] | RapportError]:
        known = self._look_up({a.stream for a in batch} | {d.subject for a in batch for d in a.drafts})
        named: list[tuple[int, str]] = []
        rows: list[Row] = []
        outcomes: list[list[Recorded] | RapportError] = []
        position, last_id = self.position, self._last_id

        def id_of(name: str) -> int:
            nonlocal last_id
            if name not in known:
                last_id += 1
                known[name] = _Known(last_id, NO_STREAM)
                named.append((last_id, name))
            return known[name].id

        for stream, head, drafts in batch:
            now = known[stream].head if stream in known else NO_STREAM
            if now != head:
                outcomes.append(Conflict(f"{stream} is at version {now.version}, not {head.version}"))
                continue
            recorded: list[Recorded] = []
            for version, draft, digest in link(stream, head, drafts):
                position += 1
                ids = (id_of(stream), version, self._type(draft), id_of(draft.subject))
                rows.append((position, *ids, draft.id, draft.data, draft.metadata, digest))
                recorded.append(Recorded(position, stream, version, *draft, digest))
            known[stream] = _Known(id_of(stream), Head(recorded[-1].version, recorded[-1].hash) if recorded else head)
            outcomes.append(recorded)
        if rows:
            self._write(named, rows)
        self.position, self._last_id = position, last_id
        self._remember(known)
        return outcomes

    def _write(self, named: Sequence[tuple[int, str]], rows: Sequence[Row]) -> None:
        # One statement for many rows: each statement releases the GIL once, and a busy projection thread then
        # costs one wait a batch; row by row it was 200 times slower.
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._insert("INSERT INTO streams(id, name) VALUES ", "(?,?)", named)
            self._insert(_INSERT, _ROW, rows)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _insert(self, verb: str, placeholders: str, rows: Sequence[tuple[object, ...]]) -> None:
        for start in range(0, len(rows), _ROWS_A_STATEMENT):
            some = rows[start : start + _ROWS_A_STATEMENT]
            self._db.execute(verb + ",".join([placeholders] * len(some)), tuple(itertools.chain.from_iterable(some)))

    def _type(self, draft: Draft) -> int:
        key = (draft.type, draft.schema)
        if key not in self._types:
            # its own small transaction: a type without events does no harm, and it happens once a type
            self._db.execute("INSERT OR IGNORE INTO types(name, schema) VALUES (?, ?)", key)
            self._types[key] = scalar(self._db, "SELECT id FROM types WHERE name = ? AND schema = ?", key)
        return self._types[key]

    def _look_up(self, names: Iterable[str]) -> dict[str, _Known]:
        known: dict[str, _Known] = {}
        missing: list[str] = []
        for name in names:
            if name in self._known:
                known[name] = self._known[name]
            else:
                missing.append(name)
        if missing:
            found = cast("list[_Found]", self._db.execute(_LOOK_UP, (json.dumps(missing),)).fetchall())
            for name, id_, version, digest in found:
                known[name] = _Known(id_, NO_STREAM if version is None or digest is None else Head(version, digest))
        return known

    def _remember(self, known: dict[str, _Known]) -> None:
        for name, entry in known.items():
            self._known[name] = entry
            self._known.move_to_end(name)
        while len(self._known) > _CACHED_STREAMS:
            self._known.popitem(last=False)

    def _forget(self) -> None:
        self._known.clear()
