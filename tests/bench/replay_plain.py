"""The naive version: each event validated by its Pydantic class, folded into dicts, written at once at the end.

It reads the same file as ours and writes the same two tables, in the order of their keys, with one fsync. The collector
is off, which favours it: left on, it costs this replay a fifth more CPU.
"""

import argparse
import gc
import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import timing
import two_tables
from shop import BY_NAME, InteractionLogged, OrderPlaced, SatisfactionRated

_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)


class Customer:
    """What is known of one customer; instants in milliseconds since 1970."""

    __slots__ = ("contacts", "first_order", "last_contact", "last_order", "orders", "ratings", "score", "skus", "spend")

    def __init__(self) -> None:
        self.orders = self.spend = self.contacts = self.ratings = self.score = 0
        self.first_order: int | None = None
        self.last_order: int | None = None
        self.last_contact: int | None = None
        self.skus: dict[str, list[int]] = {}

    def order(self, event: OrderPlaced) -> None:
        at = (event.placed_at - _EPOCH) // _MILLISECOND
        self.orders += 1
        if self.first_order is None or at < self.first_order:
            self.first_order = at
        if self.last_order is None or at > self.last_order:
            self.last_order = at
        for line in event.lines:
            self.spend += line.quantity * line.unit_price_minor
            sku = self.skus.get(line.sku)
            if sku is None:
                self.skus[line.sku] = [1, at]
                continue
            sku[0] += 1
            sku[1] = max(sku[1], at)

    def contact(self, event: InteractionLogged) -> None:
        at = (event.occurred_at - _EPOCH) // _MILLISECOND
        self.contacts += 1
        if self.last_contact is None or at > self.last_contact:
            self.last_contact = at

    def rating(self, event: SatisfactionRated) -> None:
        self.ratings += 1
        self.score += event.score


_HANDLERS: dict[Any, Callable[[Customer, Any], None]] = {
    OrderPlaced: Customer.order,
    InteractionLogged: Customer.contact,
    SatisfactionRated: Customer.rating,
}


def fold(store: Path, events: int) -> dict[str, Customer]:
    """The customers after so many events."""
    customers: dict[str, Customer] = defaultdict(Customer)
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
        classes = [(id_, BY_NAME[name.rpartition(".")[2]]) for id_, name in db.execute("SELECT id, name FROM types")]
        readers = {id_: (cls.model_validate_json, _HANDLERS[cls]) for id_, cls in classes}
        for type_, data in db.execute(
            "SELECT type_id, data FROM events WHERE position <= ? ORDER BY position", (events,)
        ):
            read, handle = readers[type_]
            event = read(data)
            handle(customers[event.customer_id], event)
    return customers


def customer_rows(customers: dict[str, Customer]) -> Iterator[tuple[Any, ...]]:
    """The rows of `customers`, by key."""
    for id_, row in sorted(customers.items()):
        yield (
            id_,
            row.orders,
            row.first_order,
            row.last_order,
            row.spend,
            row.contacts,
            row.last_contact,
            row.ratings,
            row.score,
        )


def sku_rows(customers: dict[str, Customer]) -> Iterator[tuple[Any, ...]]:
    """The rows of `customer_sku`, by key."""
    for id_, row in sorted(customers.items()):
        for sku, (lines, last_order) in sorted(row.skus.items()):
            yield id_, sku, lines, last_order


def main() -> None:
    """Run once and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="for the read model; empty")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--events", type=int, required=True)
    asked = parser.parse_args()
    gc.disable()
    with timing.Timed() as timed:
        customers = fold(asked.store, asked.events)
        two_tables.write(asked.folder / "plain.db", customer_rows(customers), sku_rows(customers))
    print(json.dumps(timed.result(asked.events) | {"checksum": two_tables.figures(asked.folder / "plain.db")}))


if __name__ == "__main__":
    main()
