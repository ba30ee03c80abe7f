"""Lines grouped into orders in a temporary SQLite file: an order's lines need not stand together in the import file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

import msgspec

from services.commands.formats.records import Line, Order, Placed, Reject

MAX_LINES = 20_000
"""More lines than this are not one order; an event could not carry them anyway."""
_pack = msgspec.msgpack.Encoder().encode
_line = msgspec.msgpack.Decoder(Line).decode
_cells = msgspec.msgpack.Decoder(list[str]).decode
_SCHEMA = """
CREATE TABLE lines (
    row INTEGER PRIMARY KEY, number TEXT NOT NULL, customer TEXT NOT NULL, moment TEXT NOT NULL,
    credit INTEGER NOT NULL, line BLOB NOT NULL, cells BLOB NOT NULL
);
CREATE TABLE counts (name TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
"""
_GROUP = """
CREATE INDEX lines_by_number ON lines (number, row);
CREATE TABLE orders (first INTEGER PRIMARY KEY, number TEXT NOT NULL, lines INTEGER NOT NULL);
INSERT INTO orders SELECT min(row), number, count(*) FROM lines GROUP BY number ORDER BY min(row);
"""


class Staging:
    """The lines of one import file, on disk; the file has no name, so nothing is left behind even by a SIGKILL."""

    def __init__(self, customer: str) -> None:
        self._customer = customer  # the file's column, for reasons
        # An empty name is SQLite's own temporary file, unlinked as soon as it is open.
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.executescript("PRAGMA cache_size=-16384; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;")
        self._db.executescript(_SCHEMA)
        self._db.execute("BEGIN")

    def close(self) -> None:
        """Frees the disk space."""
        self._db.close()

    def add(self, row: int, cells: Sequence[str], placed: Placed) -> None:
        """Keeps one valid line and the cells it came from."""
        self._db.execute(
            "INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                row,
                placed.number,
                placed.customer,
                placed.moment,
                placed.credit,
                _pack(placed.line),
                _pack(cells),
            ),
        )

    def next(self, name: str) -> int:
        """How often this name was asked for, this time included."""
        self._db.execute("INSERT INTO counts VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET n = n + 1", (name,))
        (count,) = self._db.execute("SELECT n FROM counts WHERE name = ?", (name,)).fetchone()
        return int(count)

    def group(self) -> None:
        """Ends the staging: from here on orders can be read."""
        self._db.execute("COMMIT")
        self._db.executescript(_GROUP)

    @property
    def order_count(self) -> int:
        """How many orders and credit notes there are."""
        (count,) = self._db.execute("SELECT count(*) FROM orders").fetchone()
        return int(count)

    @property
    def customer_count(self) -> int:
        """How many customers have an order."""
        query = "SELECT count(DISTINCT customer) FROM orders JOIN lines ON lines.row = orders.first"
        (count,) = self._db.execute(query).fetchone()
        return int(count)

    def customers(self) -> Iterator[str]:
        """Everyone who has an order, each once."""
        query = "SELECT DISTINCT customer FROM orders JOIN lines ON lines.row = orders.first"
        for (customer,) in self._db.execute(query):
            yield customer

    def orders(self) -> Iterator[Order | Reject]:
        """The orders by their first row; a line that does not fit its order comes as a reject."""
        for number, lines in self._db.execute("SELECT number, lines FROM orders ORDER BY first"):
            if lines > MAX_LINES:
                yield from self._oversized(number)
            else:
                yield from self._order(number)

    def cells(self, row: int) -> list[str]:
        """The cells of a staged row as they were in the file."""
        (cells,) = self._db.execute("SELECT cells FROM lines WHERE row = ?", (row,)).fetchone()
        return _cells(cells)

    def _order(self, number: str) -> Iterator[Order | Reject]:
        order: Order | None = None
        for row, customer, moment, credit, line, cells in self._db.execute(
            "SELECT row, customer, moment, credit, line, cells FROM lines WHERE number = ? ORDER BY row", (number,)
        ):
            if order is None:
                order = Order(number, customer, moment, bool(credit))
            if customer != order.customer:
                yield Reject(row, _cells(cells), f"{self._customer}: order {number} is of customer {order.customer}")
                continue
            order.lines.append(_line(line))
            order.rows.append(row)
        if order is not None:
            yield order

    def _oversized(self, number: str) -> Iterator[Reject]:
        query = "SELECT row, cells FROM lines WHERE number = ? ORDER BY row"
        for row, cells in self._db.execute(query, (number,)):
            yield Reject(row, _cells(cells), f"order {number} has more than {MAX_LINES:,} lines")
