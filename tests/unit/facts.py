"""A small business for tests of the core: orders with lines, placed and cancelled, with a personal note."""

import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict

from shared.codec import Codec
from shared.decider import Command, Context, Decider, Log
from shared.envelope import Recorded
from shared.errors import Refused
from shared.events import Event, Personal, upcaster
from shared.keyring import SqliteKeyring
from shared.projections import Derived, Document, Family, Stream, Subject, Sum, Text, Whole, f
from shared.sqlite_store import SqliteStore


class Line(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    code: str
    quantity: int
    amount_minor: int


class Placed(Event, type="crm.test.Placed", schema=2, subject="customer_id"):
    customer_id: UUID
    currency: str
    day: int
    total_minor: int
    lines: tuple[Line, ...]
    note: Personal | None = None


@upcaster("crm.test.Placed", 1)
def _currency(data):
    return data | {"currency": "GBP"}


class Cancelled(Event, type="crm.test.Cancelled", subject="customer_id"):
    customer_id: UUID
    currency: str
    day: int
    total_minor: int


class Place(Command):
    customer_id: UUID
    business_day: int
    lines: tuple[Line, ...]
    note: str | None = None


class Cancel(Command):
    pass


def decide(command, placed):
    match command:
        case Place():
            if placed:
                raise Refused("is placed already", kind="conflict")
            total = sum(line.amount_minor for line in command.lines)
            return [
                Placed(
                    customer_id=command.customer_id,
                    currency="GBP",
                    day=command.business_day,
                    total_minor=total,
                    lines=command.lines,
                    note=command.note,
                )
            ]
        case Cancel():
            if placed is None:
                raise Refused("does not exist", kind="missing")
            if placed == "cancelled":
                return []
            return [
                Cancelled(
                    customer_id=placed.customer_id,
                    currency=placed.currency,
                    day=placed.day,
                    total_minor=placed.total_minor,
                )
            ]


def evolve(placed, event):
    return event if isinstance(event, Placed) else "cancelled"


order = Decider("order", None, decide, evolve)

days = Sum("customer_days", key=(Subject("customer"), Text("currency"), Whole("day")), adds=("orders", "gross"))
days.on(Placed, currency=f.currency, day=f.day, orders=+1, gross=+f.total_minor)
days.on(Cancelled, currency=f.currency, day=f.day, orders=-1, gross=-f.total_minor)

codes = Sum("customer_codes", key=(Subject("customer"), Text("code")), adds=("lines", "value"))
codes.on(Placed, each=f.lines, code=f.lines.code, lines=+1, value=f.lines.quantity * f.lines.amount_minor)


@dataclass(frozen=True)
class Card:
    notes: tuple[str, ...] = ()
    orders: int = 0
    last_day: int | None = None


cards = Document("cards", Card, key=Subject("customer"), indexes=("orders",))


@cards.on(Placed)
def _(card: Card, event: Placed, at: Recorded) -> Card:
    if event.note == "poison":
        raise ValueError("this note cannot be read")
    notes = (*card.notes, event.note) if event.note else card.notes
    return replace(card, notes=notes[-3:], orders=card.orders + 1, last_day=max(card.last_day or 0, event.day))


@dataclass(frozen=True)
class OrderRow:
    customer: str = ""
    cancelled: bool = False


orders = Document("orders", OrderRow, key=Stream("stream"))


@orders.on(Placed)
def _(row: OrderRow, event: Placed, at: Recorded) -> OrderRow:
    return replace(row, customer=at.subject)


@orders.on(Cancelled)
def _(row: OrderRow, event: Cancelled, at: Recorded) -> OrderRow | None:
    return None


gaps = Derived("gaps", of=(days, cards), by="customer", key=(Whole("length"),), adds=("count",))


@gaps.group
def _(customer, rows):
    bought = sorted({row.day for row in rows[days] if row.orders > 0})
    return [(later - earlier, 1) for earlier, later in itertools.pairwise(bought)]


family = Family("shop", version=1, tables=(days, codes, cards, orders, gaps))


def open_log(folder: Path, **options) -> Log:
    keyring = SqliteKeyring(folder / "keyring.db")
    return Log(SqliteStore(folder / "events.db"), keyring, Codec(keyring), **options)


def asked(actor: str = "staff:test") -> Context:
    return Context(actor, uuid4())


def lines(*amounts: int) -> tuple[Line, ...]:
    return tuple(Line(code=f"p{number}", quantity=number + 1, amount_minor=a) for number, a in enumerate(amounts))
