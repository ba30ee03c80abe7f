"""Import requests: many items in one, several in flight, and an answer for each item."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal, TypeVar

from services.commands.client import Client
from services.commands.failure import Problem
from services.commands.formats.orders import Money
from services.commands.formats.records import Customer, Order, Product

IN_FLIGHT = 4
"""Requests under way at once: enough to keep the store's group commit busy."""
_ITEM = re.compile(r"(customers|products|orders|credit_notes)\[[0-9]+\]\.?")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one item: how many events it made, or why it was rejected."""

    status: Literal["accepted", "unchanged", "rejected"]
    events: int = 0
    reason: str = ""


class Sender:
    """Sends items of one source; `position` is where the log was after a recent answer."""

    def __init__(self, client: Client, source: str) -> None:
        self._client = client
        self._source = source
        self.position: str | None = None

    async def customers(self, customers: Sequence[Customer]) -> list[Result]:
        """Registers customers, or finds them registered; a result each, in the same order."""

        async def send(some: Sequence[Customer]) -> list[Any]:
            body = {"source": self._source, "customers": list(some)}
            answer = await self._post("/contacts/api/v1/customers/import", body)
            return list(answer["results"])

        return await _divided(customers, send)

    async def products(self, products: Sequence[Product]) -> list[Result]:
        """Lists products and puts them into their categories; a result each, in the same order."""

        async def send(some: Sequence[Product]) -> list[Any]:
            body = {"source": self._source, "products": list(some)}
            answer = await self._post("/portal/api/v1/products/import", body)
            return list(answer["results"])

        return await _divided(products, send)

    async def orders(self, orders: Sequence[Order], money: Money) -> list[Result]:
        """Records orders, then credit notes; give them in that order, the results come in the same."""

        async def send(some: Sequence[Order]) -> list[Any]:
            body = {
                "source": self._source,
                "timezone": money.zone.key,
                "currency": money.currency,
                "orders": [_order(order, "placed_at") for order in some if not order.credit],
                "credit_notes": [_order(order, "issued_at") for order in some if order.credit],
            }
            answer = await self._post("/portal/api/v1/orders/import", body)
            return [*answer["orders"], *answer["credit_notes"]]

        return await _divided(orders, send)

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = await self._client.post(path, body)
        self.position = answer["position"] or self.position
        return answer


async def pump(batches: Iterator[Item], send: Callable[[Item], Awaitable[None]]) -> None:
    """Sends each batch, several at a time; the first failure stops all of them.

    Raises:
        Exception: The first failure as it was.
    """

    async def work() -> None:
        for batch in batches:
            await send(batch)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(work())
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _divided(items: Sequence[Item], send: Callable[[Sequence[Item]], Awaitable[list[Any]]]) -> list[Result]:
    """Sends the items together; where the API refuses all because of one, halves find out which one it is."""
    if not items:
        return []
    try:
        return [Result(result["status"], result["events"], result["reason"] or "") for result in await send(items)]
    except Problem as problem:
        if not _of_items(problem):
            raise
        if len(items) == 1:
            return [Result("rejected", reason=_ITEM.sub("", str(problem)))]
    half = len(items) // 2
    return [*await _divided(items[:half], send), *await _divided(items[half:], send)]


def _of_items(problem: Problem) -> bool:
    if problem.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return True
    about_items = bool(problem.fields) and all(_ITEM.match(field) for field in problem.fields)
    return problem.status == HTTPStatus.UNPROCESSABLE_ENTITY and about_items


def _order(order: Order, moment: str) -> dict[str, Any]:
    return {"number": order.number, "customer": order.customer, moment: order.moment, "lines": order.lines}
