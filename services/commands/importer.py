"""One run of `rapport import`: what is sent when, counted in rows of the file."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from services.commands.batches import Result, Sender, pump
from services.commands.formats.orders import Money, OrderFile
from services.commands.formats.records import Customer, OrderBatch, Product, Reject, RowBatch
from services.commands.progress import Report
from services.commands.rejects import RejectsFile


@dataclass(slots=True)
class Totals:
    """What became of the rows of the file, and how many events this run appended."""

    accepted: int = 0
    rejected: int = 0
    unchanged: int = 0
    events: int = 0


Item = TypeVar("Item")


class ItemFile(Protocol[Item]):
    """A file of customers or of products, of any format."""

    @property
    def size(self) -> int:
        """The file's size on disk in bytes."""
        ...

    @property
    def done(self) -> int:
        """Bytes on disk that are read so far."""
        ...

    def batches(self) -> Iterator[RowBatch[Item]]:
        """The items, some hundred at a time."""
        ...


class Importer:
    """Sends a file, counts the answers and keeps what was rejected."""

    def __init__(self, sender: Sender, rejects: RejectsFile, report: Report) -> None:
        self._sender = sender
        self._rejects = rejects
        self._report = report
        self.totals = Totals()

    async def customers(self, file: ItemFile[Customer]) -> None:
        """Sends a customer file while it is read."""
        await self._items("customers", file, self._sender.customers)

    async def products(self, file: ItemFile[Product]) -> None:
        """Sends a file of products while it is read."""
        await self._items("products", file, self._sender.products)

    async def _items(
        self, what: str, file: ItemFile[Item], take: Callable[[Sequence[Item]], Awaitable[list[Result]]]
    ) -> None:
        self._report.phase(what, file.size, "bytes")

        async def send(batch: RowBatch[Item]) -> None:
            self._reject(batch.rejects)
            results = await take(batch.items)
            for (row, cells), result in zip(batch.rows, results, strict=True):
                self._judge(result, 1, [Reject(row, cells, result.reason)])
            self._report.at(file.done)

        await pump(file.batches(), send)

    async def orders(self, file: OrderFile, money: Money) -> None:
        """Reads an order file to its end, then sends its customers, then the orders and credit notes."""
        await self._read(file)
        await self._introduce(file)
        self._report.phase("orders", file.order_count, "orders")
        sent = 0

        async def send(batch: OrderBatch) -> None:
            nonlocal sent
            self._reject(batch.rejects)
            orders = [*batch.orders, *batch.credit_notes]
            results = await self._sender.orders(orders, money)
            for order, result in zip(orders, results, strict=True):
                self._judge(result, len(order.rows), file.rejected(order.rows, result.reason))
            sent += len(orders)
            self._report.at(sent)

        await pump(file.batches(), send)

    async def _read(self, file: OrderFile) -> None:
        self._report.phase("reading", file.size, "bytes")
        for rejects in file.stage():
            self._reject(rejects)
            self._report.at(file.done)
            # An app in this process has work of its own to do between one thousand rows and the next.
            await asyncio.sleep(0)

    async def _introduce(self, file: OrderFile) -> None:
        """Makes the customers known by their alias; whoever is refused here has their orders refused with a reason."""
        self._report.phase("customers", file.customer_count)
        sent = 0

        async def send(outside_ids: list[str]) -> None:
            nonlocal sent
            results = await self._sender.customers([_alias(outside_id) for outside_id in outside_ids])
            self.totals.events += sum(result.events for result in results)
            sent += len(outside_ids)
            self._report.at(sent)

        await pump(file.customers(), send)

    def _judge(self, result: Result, rows: int, rejects: Iterable[Reject]) -> None:
        self.totals.events += result.events
        if result.status == "accepted":
            self.totals.accepted += rows
        elif result.status == "unchanged":
            self.totals.unchanged += rows
        else:
            self._reject(rejects)

    def _reject(self, rejects: Iterable[Reject]) -> None:
        self.totals.rejected += self._rejects.add(rejects)


def _alias(outside_id: str) -> Customer:
    return Customer(outside_id=outside_id, kind=None, name=None, country=None, email=None, phone=None)
