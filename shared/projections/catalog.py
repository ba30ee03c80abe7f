"""Which generations exist, and which one of each family and version is read: one row to flip.

Positions belong to a store: a generation that was built from another store is none of ours, and a new one is built.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from shared.clock import stamp, utc_now
from shared.errors import Refused
from shared.projections.family import Family
from shared.projections.home import LAYOUT, Home
from shared.projections.locks import exclusive


class Status(StrEnum):
    """What becomes of a generation."""

    BUILDING = "building"
    PAUSED = "paused"
    FAILED = "failed"
    ACTIVE = "active"
    RETIRED = "retired"
    AS_OF = "as_of"
    DROPPED = "dropped"


FED: Final = frozenset({Status.BUILDING, Status.ACTIVE, Status.RETIRED, Status.AS_OF})
"""What is kept up. A retired generation too: otherwise going back to it would show an older state."""
DISPOSABLE: Final = frozenset(Status) - {Status.ACTIVE, Status.DROPPED}


@dataclass(frozen=True)
class Wish:
    """What a generation is to hold, and who wants it why.

    Attributes:
        after: Events up to this position are left out.
        until: The last position that is applied; None for all there is and will be.
        origin: Where the history is read, `store` or `kafka`.
        processes: How many fold the log; 0 for as many as it is worth.
        actor: Who wants it.
        reason: Why.
    """

    after: int = 0
    until: int | None = None
    origin: str = "store"
    processes: int = 0
    actor: str = "system"
    reason: str = "first build"

    @property
    def partial(self) -> bool:
        """Whether it leaves something out, so that it must never be read in place of the whole."""
        return self.after > 0 or self.until is not None


@dataclass(frozen=True)
class Entry:
    """One generation; `error` is what stopped its building."""

    family: str
    version: int
    generation: int
    status: Status
    wish: Wish
    made_at: str
    error: str | None

    @property
    def place(self) -> str:
        """The name of its place."""
        return f"{self.family}_{LAYOUT}_v{self.version}_g{self.generation}"


_metadata = sa.MetaData()
_generations = sa.Table(
    "generations",
    _metadata,
    sa.Column("family", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("generation", sa.Integer, primary_key=True),
    sa.Column("store", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("made_at", sa.Text, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("after", sa.BigInteger, nullable=False),
    sa.Column("until", sa.BigInteger),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("processes", sa.Integer, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)


class Catalog:
    """The generations of one home that were built from one store."""

    def __init__(self, home: Home, store: UUID) -> None:
        self._place = home.place(f"catalog_{LAYOUT}")
        self._store = str(store)
        self._elsewhere = sa.table(
            "generations", *(sa.column(column.name) for column in _generations.columns), schema=self._place.name
        )
        with self._place.writer.begin() as db:
            exclusive(db, "catalog")
            _metadata.create_all(db)

    @property
    def shared(self) -> bool:
        """Whether other processes may flip the row too."""
        return self._place.shared

    def active(self, family: Family) -> Entry:
        """The generation that is read; the first one is made when there is none."""
        with self._place.writer.begin() as db:
            exclusive(db, "catalog")
            found = db.execute(self._all().where(_this(family), _generations.c.status == Status.ACTIVE)).one_or_none()
            return _entry(found) if found else self._add(db, family, Status.ACTIVE, Wish())

    def who_is_active(self, family: Family) -> sa.Select[tuple[int]]:
        """Asks for the generation that is read, in a transaction of another place of the same database."""
        c = self._elsewhere.c
        here = sa.and_(c.family == family.name, c.version == family.version, c.store == self._store)
        return sa.select(c.generation).where(here, c.status == Status.ACTIVE)

    def add(self, family: Family, wish: Wish) -> Entry:
        """A new generation beside those that there are."""
        with self._place.writer.begin() as db:
            exclusive(db, "catalog")
            return self._add(db, family, Status.AS_OF if wish.partial else Status.BUILDING, wish)

    def entries(self) -> list[Entry]:
        """All generations that were not dropped, also of versions that this process does not read."""
        c = _generations.c
        query = self._all().where(c.status != Status.DROPPED).order_by(c.family, c.version, c.generation)
        with self._place.readers.begin() as db:
            return [_entry(row) for row in db.execute(query)]

    def move(self, entry: Entry, to: Status, *, among: Collection[Status], error: str | None = None) -> None:
        """Give a generation another status.

        Raises:
            Refused: its status is none of those that may become so.
        """
        with self._place.writer.begin() as db:
            exclusive(db, "catalog")
            self._require(db, entry, among, f"{to.value}")
            self._set(db, entry, {"status": to, "error": error})

    @contextmanager
    def activating(self, family: Family, entry: Entry, *, among: Collection[Status]) -> Iterator[None]:
        """Have another generation read when the context ends; the one before is retired. One transaction."""
        with self._place.writer.begin() as db:
            exclusive(db, "catalog")
            self._require(db, entry, among, "active")
            retire = sa.update(_generations).where(_this(family), _generations.c.status == Status.ACTIVE)
            db.execute(retire.where(_generations.c.store == self._store).values(status=Status.RETIRED))
            self._set(db, entry, {"status": Status.ACTIVE})
            yield

    def close(self) -> None:
        """Let go of it."""
        self._place.close()

    def _all(self) -> sa.Select[Any]:
        return sa.select(_generations).where(_generations.c.store == self._store)

    def _add(self, db: sa.Connection, family: Family, status: Status, wish: Wish) -> Entry:
        last = db.execute(sa.select(sa.func.max(_generations.c.generation)).where(_this(family))).scalar_one()
        entry = Entry(family.name, family.version, (last or 0) + 1, status, wish, stamp(utc_now()), None)
        row = {name: value for name, value in vars(entry).items() if name != "wish"}
        db.execute(sa.insert(_generations).values(**row, **asdict(wish), store=self._store))
        return entry

    def _require(self, db: sa.Connection, entry: Entry, among: Collection[Status], what: str) -> None:
        now = db.execute(sa.select(_generations.c.status).where(_exactly(entry))).scalar_one()
        if now not in among:
            allowed = ", ".join(sorted(among))
            message = f"generation {entry.generation} of {entry.family} is {now}; only {allowed} can become {what}"
            raise Refused(message, field="generation", kind="conflict")

    def _set(self, db: sa.Connection, entry: Entry, values: Mapping[str, Any]) -> None:
        db.execute(sa.update(_generations).where(_exactly(entry)).values(**values))


def _this(family: Family) -> sa.ColumnElement[bool]:
    return sa.and_(_generations.c.family == family.name, _generations.c.version == family.version)


def _exactly(entry: Entry) -> sa.ColumnElement[bool]:
    c = _generations.c
    return sa.and_(c.family == entry.family, c.version == entry.version, c.generation == entry.generation)


def _entry(row: sa.Row[Any]) -> Entry:
    found = row._asdict()
    wish = Wish(**{name: found.pop(name) for name in vars(Wish())})
    del found["store"]
    return Entry(**found | {"status": Status(row.status), "wish": wish})
