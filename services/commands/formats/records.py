"""What the readers hand over: order lines, orders, customers, and the rows that cannot be imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypedDict, TypeVar

Item = TypeVar("Item")
Kind = Literal["individual", "organisation", "household"]


class BadFile(Exception):
    """The file is refused as a whole; the message names the columns or the row."""


class Rejected(Exception):
    """One row cannot be imported; the message is the reason, naming the column."""


class Line(TypedDict):
    """One line of an order in the shape of the import API; `amount_minor` is in the currency's minor unit."""

    code: str
    description: str | None
    quantity: int
    unit_price: str | None
    amount_minor: int


class Customer(TypedDict):
    """One customer in the shape of the import API."""

    outside_id: str
    kind: Kind | None
    name: str | None
    country: str | None
    email: str | None
    phone: str | None


class Product(TypedDict):
    """One product in the shape of the import API."""

    code: str
    name: str
    category: str | None


@dataclass(frozen=True, slots=True)
class Placed:
    """One valid line with the order or credit note it belongs to; `moment` is an instant in UTC, ISO 8601."""

    number: str
    customer: str
    moment: str
    credit: bool
    line: Line


@dataclass(slots=True)
class Order:
    """An order or a credit note with all its valid lines; `rows` are the file's rows it came from."""

    number: str
    customer: str
    moment: str
    credit: bool
    lines: list[Line] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not imported: its number (the header is row 1), its cells as they were, and why."""

    row: int
    cells: Sequence[str]
    reason: str


@dataclass(slots=True)
class OrderBatch:
    """Orders and credit notes to send together, and the lines that turned out not to fit their order."""

    orders: list[Order] = field(default_factory=list)
    credit_notes: list[Order] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


@dataclass(slots=True)
class RowBatch(Generic[Item]):
    """Items to send together, the row each came from as (number, cells), and the rows that cannot be sent."""

    items: list[Item] = field(default_factory=list)
    rows: list[tuple[int, Sequence[str]]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.items) + len(self.rejects)

    def add(self, item: Item, row: int, cells: Sequence[str]) -> None:
        """One more item and the row it came from."""
        self.items.append(item)
        self.rows.append((row, cells))
