"""Adding to a generation what another file holds, by SQLite alone: no row passes through Python."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from shared.projections import bulk
from shared.projections.family import Family
from shared.projections.home import Place
from shared.projections.storage import Storage, is_coded
from shared.projections.tables import Derived, Document, Sum
from shared.projections.words import Words


def add(db: sa.Connection, storage: Storage, words: Words, family: Family, path: Path, name: str) -> None:
    """Add the tables of a file, which is attached under a name; both hold other subjects."""
    db.exec_driver_sql(f"ATTACH ? AS {name}", (str(path),))
    words.adopt(db, name)
    for total in family.sums:
        key, width = _coded(total), len(total.key)
        bulk.add_attached(db, name, storage.sums[total.name], coded=key, keys=width, extremes=total.extremes)
    for derived in family.derived:
        key, width = _coded(derived), len(derived.key)
        bulk.add_attached(db, name, storage.derived[derived.name], coded=key, keys=width)
        bulk.add_attached(db, name, storage.shares[derived.name], coded=["code", *key], keys=1 + width)
    for stored in storage.touched.values():
        bulk.add_attached(db, name, stored, coded=["code"], keys=1)
    for stored in storage.members.values():
        db.exec_driver_sql(
            f"INSERT INTO {stored.name} SELECT c.code, r.code FROM {name}.{stored.name} s"
            " JOIN codes c ON c.old = s.code JOIN codes r ON r.old = s.root"
        )
    for stored in storage.documents.values():
        db.exec_driver_sql(f"INSERT INTO {stored.name} SELECT * FROM {name}.{stored.name}")
    db.exec_driver_sql(f"INSERT OR IGNORE INTO {storage.erased.name} SELECT * FROM {name}.{storage.erased.name}")
    db.exec_driver_sql("DROP TABLE codes")


def _coded(table: Sum | Derived) -> list[str]:
    return [column.name for column in table.key if is_coded(column)]


def merged(db: sa.Connection, storage: Storage, words: Words, through: Document[Any]) -> bulk.Column:
    """The codes of all who were absorbed, and of all who absorbed them."""
    stored = storage.documents[through.name]
    pairs = db.execute(sa.select(stored.c[through.key.name], stored.c.survivor).where(stored.c.survivor != "")).all()
    codes = words.codes(db, {text for pair in pairs for text in pair})
    return np.array(sorted(codes.values()), np.int64)


def detach(place: Place, names: Sequence[str]) -> None:
    """Let go of files; in the transaction that has read them it was not possible."""
    connection = place.writer.raw_connection()
    try:
        for name in names:
            with suppress(sqlite3.OperationalError):  # it was not attached
                connection.cursor().execute(f"DETACH {name}")
    finally:
        connection.close()
