"""Which generations exist, and which one of each family and version is read: one row to flip."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa

from shared.projections import database
from shared.projections.family import Family

ACTIVE: Final = "active"
BUILDING: Final = "building"

_metadata = sa.MetaData()
_generations = sa.Table(
    "generations",
    _metadata,
    sa.Column("family", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("generation", sa.Integer, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
)


class Catalog:
    """The generations under one folder."""

    def __init__(self, path: Path) -> None:
        self._engine = database.writer(path)
        with self._engine.begin() as db:
            _metadata.create_all(db)

    def active(self, family: Family) -> int:
        """The generation that is read; the first one is made when there is none."""
        with self._engine.begin() as db:
            number = db.execute(
                sa.select(_generations.c.generation).where(_this(family), _generations.c.status == ACTIVE)
            ).scalar_one_or_none()
            return number if number is not None else _add(db, family, ACTIVE)

    def add(self, family: Family) -> int:
        """A new generation that is not read yet."""
        with self._engine.begin() as db:
            return _add(db, family, BUILDING)

    def status(self, family: Family, number: int) -> str:
        """What the catalog says of a generation."""
        with self._engine.begin() as db:
            return str(
                db.execute(
                    sa.select(_generations.c.status).where(_this(family), _generations.c.generation == number)
                ).scalar_one()
            )

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()


def _this(family: Family) -> sa.ColumnElement[bool]:
    return sa.and_(_generations.c.family == family.name, _generations.c.version == family.version)


def _add(db: sa.Connection, family: Family, status: str) -> int:
    last = db.execute(sa.select(sa.func.max(_generations.c.generation)).where(_this(family))).scalar_one()
    number = (last or 0) + 1
    db.execute(
        sa.insert(_generations).values(family=family.name, version=family.version, generation=number, status=status)
    )
    return number
