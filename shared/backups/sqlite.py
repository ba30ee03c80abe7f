"""Copying a SQLite file that is in use, and reading the events of a copy one by one, as far as they can be read."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import uuid4

import apsw

from shared.envelope import Recorded
from shared.errors import StoreFailed
from shared.sqlite_files import open_durable, open_reader, scalar

_PAGES: Final = 2_000
_EVENTS: Final = 2_000
_LOG: Final = (
    "SELECT e.position, s.name, e.version, e.event_id, t.name, t.schema, u.name, e.data, e.metadata, e.hash"
    # outer joins: an event whose stream or type has gone is still there to be pointed at
    " FROM events e LEFT JOIN streams s ON s.id = e.stream_id LEFT JOIN streams u ON u.id = e.subject_id"
    " LEFT JOIN types t ON t.id = e.type_id ORDER BY e.position"
)


def copied(source: Path, target: Path) -> Generator[tuple[int, int], None, None]:
    """Copy one moment of a file, also one that another process writes, which does not wait; gives pages done and all.

    The copy is one file without a log beside it.

    Raises:
        StoreFailed: the one cannot be read, or the other not written.
    """
    with _failing(source), closing(open_reader(source)) as reader, closing(apsw.Connection(str(target))) as writer:
        # one transaction around all steps: without it, every commit of another process starts the copy over
        reader.execute("BEGIN")
        scalar(reader, "SELECT count(*) FROM sqlite_schema")
        with writer.backup("main", reader, "main") as backup:
            while not backup.done:
                backup.step(_PAGES)
                yield backup.page_count - backup.remaining, backup.page_count
        writer.pragma("journal_mode", "delete")


def store_id(path: Path) -> str:
    """The id of the store in a file.

    Raises:
        StoreFailed: it cannot be read.
    """
    with _failing(path), closing(open_reader(path)) as db:
        return str(scalar(db, "SELECT id FROM store"))


def new_identity(path: Path) -> None:
    """Make it a store of its own: what follows in it are other events than those that the one it was copied from got.

    Raises:
        StoreFailed: it cannot be written.
    """
    with _failing(path), closing(open_durable(path)) as db:
        db.execute("UPDATE store SET id = ?", (str(uuid4()),))


def key_count(path: Path) -> int:
    """How many keys a keyring's file holds.

    Raises:
        StoreFailed: it is no keyring.
    """
    with _failing(path), closing(open_reader(path)) as db:
        return int(scalar(db, "SELECT count(key) FROM keys"))


def every_event(path: Path) -> Generator[list[Recorded], None, None]:
    """All events in order, some thousand at a time; of damaged ones a field may be anything.

    Whatever can be read comes before the error about what cannot.
    """
    with closing(open_reader(path)) as db:
        rows = iter(db.execute(_LOG))
        ended = False
        while not ended:
            found: list[Recorded] = []
            try:
                found.extend(Recorded._make(row) for row in islice(rows, _EVENTS))
            except Exception:
                yield found
                raise
            ended = len(found) < _EVENTS
            yield found


@contextmanager
def _failing(path: Path) -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        raise StoreFailed(f"{path} cannot be copied or read: {error}") from error
