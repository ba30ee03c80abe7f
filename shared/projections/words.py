"""Texts in keys as small integers: one dictionary per generation."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import numpy as np
import sqlalchemy as sa

from shared.projections import bulk
from shared.projections.bulk import Column
from shared.projections.home import Place
from shared.projections.storage import Storage

_CACHED: Final = 200_000


class Words:
    """Codes of texts; what is new is written in the caller's transaction.

    Where others write at the same time it is written in a transaction of its own, committed at once: two pages that
    see the same new text must not wait for each other, and a code without a use does no harm.
    """

    def __init__(self, storage: Storage, place: Place) -> None:
        self._table = storage.words
        self._place = place
        self._known: dict[str, int] = {}
        self._new: list[str] = []
        """What this transaction learned; a rollback may take it back."""
        self._whole = False
        """Whether this transaction found no words: those that it adds are then all there are."""

    def codes(self, db: sa.Connection, texts: Iterable[str]) -> dict[str, int]:
        """A code for each text, given out on first sight."""
        wanted = set(texts)
        self._learn(db, wanted)
        return {text: self._known[text] for text in wanted}

    def column(self, db: sa.Connection, texts: Sequence[str]) -> Column:
        """The code of each of these texts, in their order."""
        try:
            return self._column(texts)
        except KeyError:
            self._learn(db, set(texts))
            return self._column(texts)

    def adopt(self, db: sa.Connection, name: str) -> None:
        """Give codes to the words of an attached SQLite file; the table `codes` then has them by the file's own."""
        last = db.execute(sa.select(sa.func.coalesce(sa.func.max(self._table.c.code), 0))).scalar_one()
        db.exec_driver_sql(f"INSERT OR IGNORE INTO words SELECT {last} + s.code, s.text FROM {name}.words s")
        self._whole = False
        db.exec_driver_sql("CREATE TEMP TABLE codes(old INTEGER PRIMARY KEY, code INTEGER NOT NULL)")
        db.exec_driver_sql(
            f"INSERT INTO codes SELECT s.code, w.code FROM {name}.words s CROSS JOIN words w ON w.text = s.text"
        )

    def texts(self, db: sa.Connection, codes: Collection[int]) -> dict[int, str]:
        """The texts of codes."""
        query = sa.select(self._table.c.code, self._table.c.text).where(bulk.among(db, self._table.c.code, codes))
        return {row[0]: row[1] for row in db.execute(query).all()}

    def committed(self) -> None:
        """Keep what the transaction learned. Memory is bounded: a full cache starts afresh."""
        if len(self._known) > _CACHED:
            self._known.clear()
        self._new.clear()
        self._whole = False

    def rolled_back(self) -> None:
        """Forget what never was written."""
        for text in self._new:
            self._known.pop(text, None)
        self._new.clear()
        self._whole = False

    def _column(self, texts: Sequence[str]) -> Column:
        return np.fromiter(map(self._known.__getitem__, texts), np.int64, len(texts))

    def _learn(self, db: sa.Connection, texts: AbstractSet[str]) -> None:
        missing = sorted(text for text in texts if text not in self._known)
        if not missing:
            return
        read = {} if self._whole else self._read(db, missing)
        unseen = [text for text in missing if text not in read]
        if unseen:
            read |= self._add_apart(unseen) if self._place.shared else self._add(db, unseen)
        self._known |= read
        self._new += read

    def _read(self, db: sa.Connection, texts: Collection[str]) -> dict[str, int]:
        query = sa.select(self._table.c.text, self._table.c.code).where(bulk.among(db, self._table.c.text, texts))
        return {row[0]: row[1] for row in db.execute(query).all()}

    def _add(self, db: sa.Connection, texts: Collection[str]) -> dict[str, int]:
        first = db.execute(sa.select(sa.func.coalesce(sa.func.max(self._table.c.code), 0) + 1)).scalar_one()
        self._whole |= first == 1
        given = {text: first + number for number, text in enumerate(texts)}
        bulk.insert(db, self._table, [(code, text) for text, code in given.items()])
        return given

    def _add_apart(self, texts: Collection[str]) -> dict[str, int]:
        with self._place.writer.begin() as db:
            bulk.insert(db, self._table, ((text,) for text in texts), columns=["text"])
            return self._read(db, texts)
