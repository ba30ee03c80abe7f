"""The tables of one generation: DDL from the declarations, and readable views over the coded ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from shared.projections.columns import TEXT, UNSET, Key, Whole, sql_type
from shared.projections.family import Family
from shared.projections.locks import exclusive
from shared.projections.tables import Derived, Document, Sum, Table


def is_coded(column: Key) -> bool:
    """Whether a key column of a sum is a text kept as a small integer."""
    return not isinstance(column, Whole)


class Storage:
    """SQLAlchemy tables for a family: what is stored, by the names of the declarations."""

    def __init__(self, family: Family) -> None:
        self.metadata = sa.MetaData()
        self.words = _words(self.metadata)
        self.progress = self._table(
            "progress",
            [
                ("topic", TEXT),
                ("partition", sa.Integer),
                ("position", sa.BigInteger),
                ("next_offset", sa.BigInteger),
                ("ready", sa.BigInteger),
                ("applied", sa.BigInteger),
            ],
            primary=2,
        )
        self.parked = _parked(self.metadata)
        self.skipped = self._table(
            "skipped",
            [
                ("topic", TEXT),
                ("partition", sa.Integer),
                ("place", sa.BigInteger),
                ("subject", sa.Text),
                ("type", sa.Text),
                ("reason", sa.Text),
                ("actor", sa.Text),
                ("skipped_at", sa.Text),
            ],
            primary=3,
        )
        self.erased = self._table("erased", [("subject", TEXT)], primary=1)
        self.views: list[str] = []
        self.documents = {table.name: self._document(table) for table in family.documents}
        self.sums = {table.name: self._sum(table) for table in family.sums}
        self.derived = {table.name: self._sum(table) for table in family.derived}
        self.shares = {table.name: self._share(table) for table in family.derived}
        self.members: dict[str, sa.Table] = {}
        self.touched: dict[str, sa.Table] = {}
        for first, *_ in family.together:  # the others are computed with it
            columns = [("code", sa.BigInteger), ("times", sa.BigInteger)]
            self.touched[first.name] = self._table(f"{first.name}__touched", columns, primary=1)
            if first.through:
                columns = [("code", sa.BigInteger), ("root", sa.BigInteger)]
                self.members[first.name] = self._table(f"{first.name}__members", columns, primary=1)

    def create(self, db: sa.Connection) -> None:
        """Make what is not there yet."""
        exclusive(db, "create")
        self.metadata.create_all(db)
        verb = "CREATE OR REPLACE VIEW" if db.dialect.name == "postgresql" else "CREATE VIEW IF NOT EXISTS"
        for view in self.views:
            db.exec_driver_sql(f"{verb} {view}")

    def unindex(self, db: sa.Connection) -> list[sa.Index]:
        """Drop the indexes of sums, and say which these are."""
        indexes = [index for table in self.sums.values() for index in table.indexes]
        for index in indexes:
            index.drop(db, checkfirst=True)
        return indexes

    @contextmanager
    def unindexed(self, db: sa.Connection) -> Iterator[None]:
        """Make the indexes of sums at the end: row by row, one took half of what the replay of its sum takes."""
        indexes = self.unindex(db)
        yield
        for index in indexes:
            index.create(db)

    def _table(self, name: str, columns: Sequence[tuple[str, Any]], *, primary: int) -> sa.Table:
        return sa.Table(
            name,
            self.metadata,
            *(
                sa.Column(column, type_, primary_key=number < primary, autoincrement=False, nullable=False)
                for number, (column, type_) in enumerate(columns)
            ),
            sqlite_with_rowid=False,
        )

    def _document(self, table: Document[Any]) -> sa.Table:
        stored = sa.Table(
            table.name,
            self.metadata,
            sa.Column(table.key.name, TEXT, primary_key=True),
            *(_field(name, hint) for name, hint in table.fields.items()),
        )
        _index(stored, table)
        return stored

    def _sum(self, table: Sum | Derived) -> sa.Table:
        columns = [(column.name, sa.BigInteger) for column in table.key] + [
            (name, sa.BigInteger) for name in (table.values if isinstance(table, Sum) else table.adds)
        ]
        stored = self._table(f"{table.name}__sums", columns, primary=len(table.key))
        _index(stored, table)
        self.views.append(_view(table, stored.name))
        return stored

    def _share(self, table: Derived) -> sa.Table:
        columns = [("code", sa.BigInteger), *((column.name, sa.BigInteger) for column in table.key)]
        columns += [(name, sa.BigInteger) for name in table.adds]
        return self._table(f"{table.name}__shares", columns, primary=1 + len(table.key))


def _field(name: str, hint: Any) -> sa.Column[Any]:
    plain, nullable = sql_type(hint)
    return sa.Column(name, plain, nullable=nullable)


def _index(stored: sa.Table, table: Table) -> None:
    for index in table.indexes:
        names = (index,) if isinstance(index, str) else index
        sa.Index(f"{stored.name}_{'_'.join(names)}", *(stored.c[name] for name in names))


def _view(table: Sum | Derived, stored: str) -> str:
    columns, joins = [], []
    for number, column in enumerate(table.key):
        if is_coded(column):
            columns.append(f"w{number}.text AS {column.name}")
            joins.append(f"JOIN words w{number} ON w{number}.code = s.{column.name}")
        else:
            columns.append(f"s.{column.name} AS {column.name}")
    columns += [f"s.{name} AS {name}" for name in table.adds]
    if isinstance(table, Sum):
        for name, kind in zip((*table.earliest, *table.latest), table.extremes, strict=True):
            columns.append(f"NULLIF(s.{name}, {UNSET[kind]}) AS {name}")
    return f"{table.name} AS SELECT {', '.join(columns)} FROM {stored} s {' '.join(joins)}"


def _words(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "words",
        metadata,
        sa.Column("code", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("text", TEXT, nullable=False, unique=True),
        sqlite_with_rowid=False,
    )


def _parked(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "parked",
        metadata,
        sa.Column("topic", TEXT, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True),
        sa.Column("place", sa.BigInteger, primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("subject", TEXT, nullable=False, index=True),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("event_id", sa.LargeBinary, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("schema", sa.Integer, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("metadata", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("first_at", sa.Text, nullable=False),
    )
