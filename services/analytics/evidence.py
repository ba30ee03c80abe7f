"""Evidence: the events behind a customer's purchase days, so that every figure opens down to what happened.

A family of its own: a row per event costs a replay twenty times what a sum does, and only who asks why reads it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from services.contacts.events import CustomersMerged, CustomersUnmerged, SubjectErased
from services.portal.events import CreditIssued, OrderCancelled, OrderPlaced, OrderRefunded
from shared.envelope import Recorded
from shared.projections import Document, EventId, Family, Snapshot

MOST: Final = 500
READERS: Final = frozenset({"operator", "privacy_officer", "analyst", "admin"})
"""The roles that may read the events themselves."""


@dataclass(frozen=True)
class Fact:
    """One event that counts on a purchase day: `day` is the day it counts on, `amount_minor` what it adds there.

    `refunded_minor` is what had been refunded of an order that was cancelled: its cancellation takes that back too.
    """

    customer: str = ""
    day: int = 0
    position: int = 0
    kind: str = ""
    currency: str = ""
    amount_minor: int = 0
    number: str = ""
    refunded_minor: int = 0


facts = Document("facts", Fact, key=EventId("event"), about="customer", indexes=(("customer", "day"),))


@facts.on(OrderPlaced)
def _(_row: Fact, event: OrderPlaced, at: Recorded) -> Fact:
    return Fact(at.subject, event.business_day, at.position, "placed", event.currency, event.total_minor, event.number)


@facts.on(OrderCancelled)
def _(_row: Fact, event: OrderCancelled, at: Recorded) -> Fact:
    day, amount, refunded = event.order_day, -event.total_minor, event.refunded_minor
    return Fact(at.subject, day, at.position, "cancelled", event.currency, amount, refunded_minor=refunded)


@facts.on(OrderRefunded)
def _(_row: Fact, event: OrderRefunded, at: Recorded) -> Fact:
    return Fact(at.subject, event.order_day, at.position, "refunded", event.currency, -event.amount_minor)


@facts.on(CreditIssued)
def _(_row: Fact, event: CreditIssued, at: Recorded) -> Fact:
    return Fact(at.subject, event.business_day, at.position, "credited", event.currency, -event.total_minor)


@dataclass(frozen=True)
class Merger:
    """A customer was absorbed by the event at a position, or counts for itself again where the survivor is empty."""

    customer: str = ""
    survivor: str = ""
    position: int = 0


mergers = Document("mergers", Merger, key=EventId("event"), about="customer", indexes=("position",))


@mergers.on(CustomersMerged)
def _(_row: Merger, event: CustomersMerged, at: Recorded) -> Merger:
    return Merger(at.subject, f"customer-{event.survivor_id}", at.position)


@mergers.on(CustomersUnmerged)
def _(_row: Merger, _event: CustomersUnmerged, at: Recorded) -> Merger:
    return Merger(at.subject, "", at.position)


family = Family("evidence", version=2, tables=(facts, mergers), forgets=SubjectErased)
"""The events behind the figures of single customers."""


def behind(db: Snapshot, customers: Collection[str], as_of: int, currency: str | None) -> list[Fact]:
    """What happened to some customers up to a day, newest first, MOST of it at most."""
    c = facts.c
    columns = (c.customer, c.day, c.position, c.kind, c.currency, c.amount_minor, c.number)
    query = sa.select(*columns).where(c.customer.in_(sorted(customers)), c.day <= as_of)
    if currency is not None:
        query = query.where(c.currency == currency)
    query = query.order_by(c.day.desc(), c.position.desc()).limit(MOST)
    return [Fact(*row) for row in db.execute(query)]
