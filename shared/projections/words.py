"""Texts in keys as small integers: one dictionary per generation."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

import sqlalchemy as sa

from shared.projections import bulk
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
        self._codes: dict[str, int] = {}
        self._new: dict[str, int] = {}
        self._whole = False
        """Whether this transaction found no words: those that it adds are then all there are."""

    def codes(self, db: sa.Connection, texts: Iterable[str]) -> dict[str, int]:
        """A code for each text, given out on first sight."""
        wanted = set(texts)
        found = {text: code for text in wanted if (code := self._codes.get(text, self._new.get(text))) is not None}
        missing = sorted(wanted - found.keys())
        if missing:
            read = {} if self._whole else self._read(db, missing)
            unseen = [text for text in missing if text not in read]
            if unseen:
                read |= self._add_apart(unseen) if self._place.shared else self._add(db, unseen)
            self._new |= read
            found |= read
        return found

    def texts(self, db: sa.Connection, codes: Collection[int]) -> dict[int, str]:
        """The texts of codes."""
        query = sa.select(self._table.c.code, self._table.c.text).where(bulk.among(db, self._table.c.code, codes))
        return {row[0]: row[1] for row in db.execute(query).all()}

    def committed(self) -> None:
        """Keep what the transaction wrote. Memory is bounded: a full cache starts afresh."""
        if len(self._codes) + len(self._new) > _CACHED:
            self._codes.clear()
        self._codes |= self._new
        self._new = {}
        self._whole = False

    def rolled_back(self) -> None:
        """Forget what never was written."""
        self._new = {}
        self._whole = False

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
