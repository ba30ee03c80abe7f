"""Texts in keys as small integers: one dictionary per generation."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa

from shared.projections import bulk
from shared.projections.storage import Storage

_CACHED: Final = 200_000


class Words:
    """Codes of texts; what is new is written in the caller's transaction."""

    def __init__(self, storage: Storage) -> None:
        self._table = storage.words
        self._codes: dict[str, int] = {}
        self._new: dict[str, int] = {}

    def codes(self, db: sa.Connection, texts: Iterable[str]) -> dict[str, int]:
        """A code for each text, given out on first sight."""
        wanted = set(texts)
        found = {text: code for text in wanted if (code := self._codes.get(text, self._new.get(text))) is not None}
        missing = sorted(wanted - found.keys())
        if missing:
            for code, text in db.exec_driver_sql(
                f"SELECT code, text FROM {self._table.name} WHERE text IN (SELECT value FROM json_each(?))",
                (json.dumps(missing),),
            ):
                found[text] = self._new[text] = code
        unseen = sorted(wanted - found.keys())
        if unseen:
            first = db.execute(sa.select(sa.func.coalesce(sa.func.max(self._table.c.code), 0) + 1)).scalar_one()
            given = {text: first + number for number, text in enumerate(unseen)}
            bulk.insert(db, self._table, [(code, text) for text, code in given.items()])
            self._new |= given
            found |= given
        return found

    def texts(self, db: sa.Connection, codes: Iterable[int]) -> dict[int, str]:
        """The texts of codes."""
        rows = db.exec_driver_sql(
            f"SELECT code, text FROM {self._table.name} WHERE code IN (SELECT value FROM json_each(?))",
            (json.dumps(list(codes)),),
        )
        return {row[0]: row[1] for row in rows}

    def committed(self) -> None:
        """Keep what the transaction wrote. Memory is bounded: a full cache starts afresh."""
        if len(self._codes) + len(self._new) > _CACHED:
            self._codes.clear()
        self._codes |= self._new
        self._new = {}

    def rolled_back(self) -> None:
        """Forget what never was written."""
        self._new = {}
