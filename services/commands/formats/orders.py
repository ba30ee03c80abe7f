"""An order file: its rows are read once and grouped into orders on disk, so that memory does not grow with the file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self
from zoneinfo import ZoneInfo

from services.commands.formats.records import OrderBatch, Placed, Reject, Rejected
from services.commands.formats.staging import Staging
from services.commands.formats.table import Table

CHUNK_ROWS = 1_000
"""How many rows are staged between two moments at which the caller can do something else."""
BATCH_ORDERS = 200
"""How many orders, and how many credit notes, are sent together at most."""
BATCH_LINES = 5_000
"""How many lines are sent together, give or take one order."""
BATCH_CUSTOMERS = 500
"""How many customers are sent together at most."""


class Tally(Protocol):
    """Counts by name: the first `next` of a name is 1."""

    def next(self, name: str) -> int:
        """One more than the last time for the same name."""
        ...


@dataclass(frozen=True, slots=True)
class Money:
    """How the file's local times and amounts are meant; `digits` is the currency's number of decimals."""

    zone: ZoneInfo
    currency: str
    digits: int


@dataclass(frozen=True, slots=True)
class OrderFormat:
    """A named format: its required columns, its defaults, and how one row becomes a line.

    `also` gives columns by another name that files have for them, `customer` is the column that names the customer.
    """

    name: str
    columns: tuple[str, ...]
    timezone: str
    currency: str
    read: Callable[[list[str], Money, Tally], Placed]
    also: tuple[tuple[str, str], ...] = ()
    customer: str = "customer_id"


class OrderFile:
    """An order file of a known format. First `stage()` to its end, then `customers()` and `batches()`."""

    def __init__(self, path: Path, layout: OrderFormat, money: Money) -> None:
        self._layout = layout
        self._money = money
        self._table = Table(path, layout.columns, also=layout.also)
        self._staging = Staging(layout.customer)
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._staging.close()
        self._table.__exit__(kind, error, trace)

    @property
    def header(self) -> list[str]:
        """The file's own columns."""
        return self._table.header

    @property
    def size(self) -> int:
        """The file's size on disk in bytes."""
        return self._table.source.size

    @property
    def done(self) -> int:
        """Bytes on disk that are read so far."""
        return self._table.source.done

    def stage(self) -> Iterator[list[Reject]]:
        """Reads the file; yields what cannot be imported, once every thousand rows, also when that is nothing.

        Raises:
            BadFile: When the file as a whole cannot be read; nothing of it should be imported then.
        """
        rejects: list[Reject] = []
        for row, cells in self._table.rows():
            try:
                self._staging.add(row, cells, self._layout.read(self._table.pick(cells), self._money, self._staging))
            except Rejected as reason:
                rejects.append(Reject(row, cells, str(reason)))
            self._rows += 1
            if self._rows % CHUNK_ROWS == 0:
                yield rejects
                rejects = []
        self._staging.group()
        yield rejects

    @property
    def customer_count(self) -> int:
        """How many customers `customers()` will give."""
        return self._staging.customer_count

    @property
    def order_count(self) -> int:
        """How many orders and credit notes `batches()` will give, those it rejects included."""
        return self._staging.order_count

    def customers(self) -> Iterator[list[str]]:
        """The outside ids of everyone who has an order or a credit note, each once, up to 500 at a time."""
        batch: list[str] = []
        for customer in self._staging.customers():
            batch.append(customer)
            if len(batch) == BATCH_CUSTOMERS:
                yield batch
                batch = []
        if batch:
            yield batch

    def batches(self) -> Iterator[OrderBatch]:
        """Orders and credit notes in the order in which they begin in the file."""
        batch = OrderBatch()
        lines = 0
        for item in self._staging.orders():
            if isinstance(item, Reject):
                batch.rejects.append(item)
                lines += 1
            else:
                (batch.credit_notes if item.credit else batch.orders).append(item)
                lines += len(item.lines)
            if max(len(batch.orders), len(batch.credit_notes)) == BATCH_ORDERS or lines >= BATCH_LINES:
                yield batch
                batch = OrderBatch()
                lines = 0
        if batch.orders or batch.credit_notes or batch.rejects:
            yield batch

    def rejected(self, rows: Iterable[int], reason: str) -> Iterator[Reject]:
        """The rows of an order that was refused elsewhere, with their cells."""
        for row in rows:
            yield Reject(row, self._staging.cells(row), reason)
