"""What was ordered: every order with its lines and its history."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final, Literal
from uuid import UUID

import sqlalchemy as sa

from services.contacts.events import SubjectErased
from services.portal.buyers import buyers
from services.portal.credit_notes import credit_notes
from services.portal.events import Line, OrderCancelled, OrderPlaced, OrderRefunded
from services.portal.totals import totals
from shared.clock import date_of
from shared.envelope import Recorded
from shared.projections import Document, Family, Snapshot, Stream
from shared.web.cursors import Place

Status = Literal["placed", "partly_refunded", "refunded", "cancelled"]
"""What became of an order."""


@dataclass(frozen=True)
class OrderRow:
    """An order as stored: `customer` is the subject, `placed_at` an instant as text, `day` the business day."""

    customer: str = ""
    source: str = ""
    number: str = ""
    placed_at: str = ""
    day: int = 0
    currency: str = ""
    total_minor: int = 0
    refunded_minor: int = 0
    status: str = "placed"
    line_count: int = 0
    quantity: int = 0
    lines: tuple[dict[str, Any], ...] = ()
    history: tuple[dict[str, Any], ...] = ()
    version: int = -1


orders = Document(
    "orders",
    OrderRow,
    key=Stream("stream"),
    about="customer",
    indexes=(
        ("placed_at", "stream"),
        ("customer", "placed_at", "stream"),
        ("status", "placed_at", "stream"),
        "number",
    ),
)


@orders.on(OrderPlaced)
def _(_row: OrderRow, event: OrderPlaced, at: Recorded) -> OrderRow:
    placed = OrderRow(
        customer=at.subject,
        source=event.source,
        number=event.number,
        placed_at=at.meta.occurred_at,
        day=event.business_day,
        currency=event.currency,
        total_minor=event.total_minor,
        line_count=event.line_count,
        quantity=event.quantity,
        lines=tuple(line.model_dump() for line in event.lines),
    )
    return _after(placed, at, "placed", event.total_minor, None)


@orders.on(OrderRefunded)
def _(row: OrderRow, event: OrderRefunded, at: Recorded) -> OrderRow:
    back = row.refunded_minor + event.amount_minor
    status: Status = "refunded" if back == row.total_minor else "partly_refunded"
    refunded = replace(row, refunded_minor=back, status=status)
    return _after(refunded, at, "refunded", event.amount_minor, event.reason)


@orders.on(OrderCancelled)
def _(row: OrderRow, event: OrderCancelled, at: Recorded) -> OrderRow:
    return _after(replace(row, status="cancelled"), at, "cancelled", event.total_minor, event.reason)


def _after(row: OrderRow, at: Recorded, what: str, amount_minor: int, reason: str | None) -> OrderRow:
    happening = {
        "what": what,
        "at": at.meta.occurred_at,
        "actor": at.meta.actor,
        "amount_minor": amount_minor,
        "reason": reason,
        "position": at.position,
    }
    return replace(row, history=(*row.history, happening), version=at.version)


family = Family("orders", version=2, tables=(orders, credit_notes, totals, buyers), forgets=SubjectErased)


@dataclass(frozen=True)
class OrderSummary:
    """An order in a list; `version` is what an edit has to name, `buyer` what to call the customer."""

    id: UUID
    customer_id: UUID
    buyer: str | None
    source: str
    number: str
    placed_at: datetime
    business_day: date
    currency: str
    total_minor: int
    refunded_minor: int
    status: Status
    line_count: int
    quantity: int
    version: int


@dataclass(frozen=True)
class Happening:
    """Something that happened to an order; `position` is its event's in the log."""

    what: Literal["placed", "refunded", "cancelled"]
    at: datetime
    actor: str
    amount_minor: int
    reason: str | None
    position: int


@dataclass(frozen=True)
class OrderDetail(OrderSummary):
    """An order with its lines, and what happened to it, oldest first."""

    lines: list[Line]
    history: list[Happening]


SUMMARY: Final = (
    orders.c.stream,
    orders.c.customer,
    orders.c.source,
    orders.c.number,
    orders.c.placed_at,
    orders.c.day,
    orders.c.currency,
    orders.c.total_minor,
    orders.c.refunded_minor,
    orders.c.status,
    orders.c.line_count,
    orders.c.quantity,
    orders.c.version,
    sa.select(sa.func.coalesce(buyers.c.name, buyers.c.alias))
    .where(buyers.c.customer == orders.c.customer)
    .scalar_subquery()
    .label("buyer"),
)
"""What a summary is made of."""


def listed(
    db: Snapshot,
    *,
    customer_id: UUID | None = None,
    status: Status | None = None,
    number: str | None = None,
    behind: Place | None = None,
    limit: int = 50,
) -> tuple[list[OrderSummary], Place | None]:
    """Orders, newest first, and where the next page begins; filters that are left out do not filter."""
    query = sa.select(*SUMMARY)
    if customer_id is not None:
        query = query.where(orders.c.customer == f"customer-{customer_id}")
    if status is not None:
        query = query.where(orders.c.status == status)
    if number is not None:
        query = query.where(orders.c.number == number)
    if behind is not None:
        query = query.where(sa.tuple_(orders.c.placed_at, orders.c.stream) < sa.tuple_(*map(sa.literal, behind)))
    query = query.order_by(orders.c.placed_at.desc(), orders.c.stream.desc()).limit(limit + 1)
    rows = db.execute(query).all()
    page = rows[:limit]
    behind_last = Place(page[-1].placed_at, page[-1].stream) if len(rows) > limit else None
    return [summary(row) for row in page], behind_last


def found(db: Snapshot, order_id: UUID) -> OrderDetail | None:
    """One order, or None."""
    query = sa.select(*SUMMARY, orders.c.lines, orders.c.history).where(orders.c.stream == f"order-{order_id}")
    row = db.execute(query).one_or_none()
    if row is None:
        return None
    lines = [Line(**line) for line in row.lines]
    return OrderDetail(**_summary(row), lines=lines, history=[_happening(one) for one in row.history])


def _happening(stored: dict[str, Any]) -> Happening:
    return Happening(**stored | {"at": datetime.fromisoformat(stored["at"])})


def summary(row: sa.Row[Any]) -> OrderSummary:
    """The summary that a row of SUMMARY makes."""
    return OrderSummary(**_summary(row))


def _summary(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "id": UUID(row.stream.removeprefix("order-")),
        "customer_id": UUID(row.customer.removeprefix("customer-")),
        "buyer": row.buyer,
        "source": row.source,
        "number": row.number,
        "placed_at": datetime.fromisoformat(row.placed_at),
        "business_day": date_of(row.day),
        "currency": row.currency,
        "total_minor": row.total_minor,
        "refunded_minor": row.refunded_minor,
        "status": row.status,
        "line_count": row.line_count,
        "quantity": row.quantity,
        "version": row.version,
    }
