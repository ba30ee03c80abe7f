"""What the benchmarks fold: a shop's events, and two tables over them.

The events are those of the measured study: 70 % orders, 20 % contacts, 10 % ratings, of 271 bytes in the mean. What
is said about a customer in words is personal, and so stored encrypted.
"""

from __future__ import annotations

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict

from shared.events import Event, Personal
from shared.projections import Family, Subject, Sum, Text, f
from shared.projections.generation import Generation
from shared.values import Instant


class Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    sku: str
    quantity: int
    unit_price_minor: int


class OrderPlaced(Event, type="crm.shop.OrderPlaced", subject="customer_id"):
    customer_id: str
    order_id: str
    placed_at: Instant
    business_day: int
    currency: str
    lines: tuple[Line, ...]


class InteractionLogged(Event, type="crm.shop.InteractionLogged", subject="customer_id"):
    customer_id: str
    interaction_id: str
    occurred_at: Instant
    channel: str
    direction: str
    duration_s: int
    agent_id: str
    note: Personal


class SatisfactionRated(Event, type="crm.shop.SatisfactionRated", subject="customer_id"):
    customer_id: str
    rating_id: str
    rated_at: Instant
    score: int
    survey: str
    comment: Personal


BY_NAME = {event.type.rpartition(".")[2]: event for event in (OrderPlaced, InteractionLogged, SatisfactionRated)}

customers = Sum(
    "customers",
    key=(Subject("customer"),),
    adds=("orders", "spend", "contacts", "ratings", "score"),
    earliest=("first_order",),
    latest=("last_order", "last_contact"),
)
customers.on(OrderPlaced, orders=+1, first_order=f.placed_at, last_order=f.placed_at)
customers.on(OrderPlaced, each=f.lines, spend=f.lines.quantity * f.lines.unit_price_minor)
customers.on(InteractionLogged, contacts=+1, last_contact=f.occurred_at)
customers.on(SatisfactionRated, ratings=+1, score=+f.score)

customer_skus = Sum("customer_sku", key=(Subject("customer"), Text("sku")), adds=("lines",), latest=("last_order",))
customer_skus.on(OrderPlaced, each=f.lines, sku=f.lines.sku, lines=+1, last_order=f.placed_at)

family = Family("shop", version=1, tables=(customers, customer_skus))

_FIGURES = (
    "SELECT count(*), sum(orders), sum(spend), sum(contacts), sum(ratings), sum(score), sum(first_order % 1000003),"
    " sum(last_order % 1000003), sum(last_contact % 1000003) FROM customers",
    "SELECT count(*), sum(lines), sum(last_order % 1000003) FROM customer_sku",
)


def figures(generation: Generation) -> list[int]:
    """The figures of `history.Fold`, asked of a read model."""
    with generation.read() as snapshot:
        return [int(number or 0) for query in _FIGURES for number in snapshot.execute(sa.text(query)).one()]
