"""Which generations exist, and which one of each family and version is read: one row to flip.

Positions belong to a store: a generation that was built from another store is none of ours, and a new one is built.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

import sqlalchemy as sa

from shared.projections.family import Family
from shared.projections.home import LAYOUT, Home
from shared.projections.locks import exclusive

ACTIVE: Final = "active"
BUILDING: Final = "building"

_metadata = sa.MetaData()
_generations = sa.Table(
    "generations",
    _metadata,
    sa.Column("family", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("generation", sa.Integer, primary_key=True),
    sa.Column("store", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
)


class Catalog:
    """The generations of one home that were built from one store."""

    def __init__(self, home: Home, store: UUID) -> None:
        self._place = home.place(f"catalog_{LAYOUT}")
        self._store = str(store)
        with self._place.writer.begin() as db:
            exclusive(db, "catalog")
            _metadata.create_all(db)

    def active(self, family: Family) -> int:
        """The generation that is read; the first one is made when there is none."""
        with self._place.writer.begin() as db:
            exclusive(db, "catalog")
            number = db.execute(
                sa.select(_generations.c.generation).where(
                    _this(family), _generations.c.status == ACTIVE, _generations.c.store == self._store
                )
            ).scalar_one_or_none()
            return number if number is not None else self._add(db, family, ACTIVE)

    def add(self, family: Family) -> int:
        """A new generation that is not read yet."""
        with self._place.writer.begin() as db:
            exclusive(db, "catalog")
            return self._add(db, family, BUILDING)

    def status(self, family: Family, number: int) -> str:
        """What the catalog says of a generation."""
        with self._place.writer.begin() as db:
            return str(
                db.execute(
                    sa.select(_generations.c.status).where(_this(family), _generations.c.generation == number)
                ).scalar_one()
            )

    def close(self) -> None:
        """Let go of it."""
        self._place.close()

    def _add(self, db: sa.Connection, family: Family, status: str) -> int:
        last = db.execute(sa.select(sa.func.max(_generations.c.generation)).where(_this(family))).scalar_one()
        number = (last or 0) + 1
        row = {"family": family.name, "version": family.version, "generation": number}
        db.execute(sa.insert(_generations).values(**row, store=self._store, status=status))
        return number


def name_of(family: Family, number: int) -> str:
    """The name of a generation's place."""
    return f"{family.name}_{LAYOUT}_v{family.version}_g{number}"


def _this(family: Family) -> sa.ColumnElement[bool]:
    return sa.and_(_generations.c.family == family.name, _generations.c.version == family.version)
