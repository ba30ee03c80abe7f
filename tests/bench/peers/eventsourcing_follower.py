"""eventsourcing on SQLite: a follower in a `System` works off what the application that it follows has recorded.

Its SQLite has no subscriptions, so this is the library's way to a durable read model there: the follower's `policy`
says what to do, its recorder does it, as in the library's example of searchable content, in the transaction of that
event that also tracks its position; WAL, synchronous=FULL, its own settings. The two tables are those of the others,
an upsert per event and line. The follower pulls 1,000 notifications at a time instead of 10, and the collector is off;
both favour it. The upstream application records the store's payloads, sealed texts as they are, before the clock
starts; the follower's pull, convert and process are inside.
"""

import argparse
import gc
import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar
from uuid import NAMESPACE_OID, UUID, uuid5

from eventsourcing.application import Application, ProcessingEvent
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.domain import DomainEvent
from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import SQLiteCursor, SQLiteProcessRecorder
from eventsourcing.system import ProcessApplication, SingleThreadedRunner, System
from eventsourcing.utils import get_topic

sys.path.insert(0, str(Path(__file__).parents[1]))
import timing
import two_tables

_AT_ONCE = 1_000
_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_EVENTS = (
    "SELECT s.name, e.version, t.name, e.data FROM events e JOIN streams s ON s.id = e.stream_id"
    " JOIN types t ON t.id = e.type_id WHERE e.position <= ? ORDER BY e.position"
)
_CUSTOMER = """INSERT INTO customers VALUES(:customer, :orders, :ordered, :ordered, :spend, :contacts, :contacted,
 :ratings, :score) ON CONFLICT(customer) DO UPDATE SET orders = orders + excluded.orders,
 first_order = min(ifnull(first_order, excluded.first_order), ifnull(excluded.first_order, first_order)),
 last_order = max(ifnull(last_order, excluded.last_order), ifnull(excluded.last_order, last_order)),
 spend = spend + excluded.spend, contacts = contacts + excluded.contacts,
 last_contact = max(ifnull(last_contact, excluded.last_contact), ifnull(excluded.last_contact, last_contact)),
 ratings = ratings + excluded.ratings, score = score + excluded.score"""
_SKU = """INSERT INTO customer_sku VALUES(?, ?, 1, ?) ON CONFLICT(customer, sku)
 DO UPDATE SET lines = lines + 1, last_order = max(last_order, excluded.last_order)"""
_NOTHING = dict.fromkeys(("orders", "spend", "contacts", "ratings", "score"), 0) | dict.fromkeys(
    ("ordered", "contacted")
)


class OrderPlaced(DomainEvent):
    customer_id: str
    order_id: str
    placed_at: str
    business_day: int
    currency: str
    lines: list[dict[str, Any]]


class InteractionLogged(DomainEvent):
    customer_id: str
    interaction_id: str
    occurred_at: str
    channel: str
    direction: str
    duration_s: int
    agent_id: str
    note: str


class SatisfactionRated(DomainEvent):
    customer_id: str
    rating_id: str
    rated_at: str
    score: int
    survey: str
    comment: str


_CLASSES = {cls.__name__: cls for cls in (OrderPlaced, InteractionLogged, SatisfactionRated)}


class Shop(Application[UUID]):
    """Upstream: what was recorded."""

    log_section_size = _AT_ONCE


class TablesRecorder(SQLiteProcessRecorder):
    """Keeps the two tables in the transaction that tracks an event's position."""

    def construct_create_table_statements(self) -> list[str]:
        return [*super().construct_create_table_statements(), two_tables.CUSTOMERS, two_tables.CUSTOMER_SKU]

    def _insert_events(
        self,
        c: SQLiteCursor,
        stored_events: Sequence[StoredEvent],
        *,
        customer: dict[str, Any] | None = None,
        skus: Sequence[tuple[str, str, int]] = (),
        **kwargs: Any,
    ) -> Sequence[int] | None:
        if customer:
            c.execute(_CUSTOMER, customer)
        if skus:
            c.executemany(_SKU, skus)
        return super()._insert_events(c, stored_events, **kwargs)


class Tables(ProcessApplication[UUID]):
    """Downstream: what each event says about the two tables."""

    env: ClassVar[dict[str, str]] = {"PROCESS_RECORDER_TOPIC": get_topic(TablesRecorder)}
    pull_section_size = _AT_ONCE

    @singledispatchmethod
    def policy(self, event: Any, processing: ProcessingEvent[UUID]) -> None:
        raise TypeError(f"no policy for {type(event).__name__}")

    @policy.register
    def _(self, event: OrderPlaced, processing: ProcessingEvent[UUID]) -> None:
        at, customer = _milliseconds(event.placed_at), event.customer_id
        spend = sum(line["quantity"] * line["unit_price_minor"] for line in event.lines)
        processing.collect_events(
            customer=_NOTHING | {"customer": customer, "orders": 1, "ordered": at, "spend": spend},
            skus=[(customer, line["sku"], at) for line in event.lines],
        )

    @policy.register
    def _(self, event: InteractionLogged, processing: ProcessingEvent[UUID]) -> None:
        at = _milliseconds(event.occurred_at)
        processing.collect_events(customer=_NOTHING | {"customer": event.customer_id, "contacts": 1, "contacted": at})

    @policy.register
    def _(self, event: SatisfactionRated, processing: ProcessingEvent[UUID]) -> None:
        processing.collect_events(
            customer=_NOTHING | {"customer": event.customer_id, "ratings": 1, "score": event.score}
        )


def _milliseconds(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // _MILLISECOND


def recorded(store: Path, events: int) -> Iterator[DomainEvent]:
    """The store's first so many events, as the library's."""
    now = datetime.now(UTC)
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
        for stream, version, type_, data in db.execute(_EVENTS, (events,)):
            cls, customer = _CLASSES[type_.rpartition(".")[2]], uuid5(NAMESPACE_OID, stream)
            yield cls(originator_id=customer, originator_version=version + 1, timestamp=now, **json.loads(data))


def main() -> None:
    """Run once and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="for both databases; empty")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--events", type=int, default=20_000)
    asked = parser.parse_args()
    names = {f"{cls.name.upper()}_SQLITE_DBNAME": str(asked.folder / f"{cls.name}.db") for cls in (Shop, Tables)}
    system = System([[Shop, Tables]])
    runner = SingleThreadedRunner(system, {"PERSISTENCE_MODULE": "eventsourcing.sqlite"} | names)
    history = recorded(asked.store, asked.events)
    while some := list(islice(history, _AT_ONCE)):
        runner.get(Shop).save(*some)
    gc.disable()
    with timing.Timed() as timed:
        runner.start()
        runner.get(Tables).pull_and_process(Shop.name)
    print(json.dumps(timed.result(asked.events) | {"checksum": two_tables.figures(asked.folder / "Tables.db")}))


if __name__ == "__main__":
    main()
