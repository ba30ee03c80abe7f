"""The events of the portal: what is sold, what was ordered, and what of it was taken back.

Money is in the currency's minor unit, days are days since 1970-01-01. An event that takes something back repeats
what a sum needs to take it back.
"""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.events import Event, Personal


class ProductListed(Event, type="crm.portal.ProductListed"):
    """A product can be ordered; (source, code) is its name among systems."""

    source: str
    code: str
    name: str
    description: str | None


class ProductPriced(Event, type="crm.portal.ProductPriced"):
    """A product has a list price in one currency."""

    source: str
    code: str
    currency: str
    amount_minor: int


class ProductCategorised(Event, type="crm.portal.ProductCategorised"):
    """A product belongs to a category, by the name that its source gives it; None takes it out of any."""

    source: str
    code: str
    category: str | None


class ProductDelisted(Event, type="crm.portal.ProductDelisted"):
    """A product is no longer offered."""

    source: str
    code: str


class Line(BaseModel):
    """One line of an order or a credit note; `ordinal` counts from 1, `unit_price` is a decimal number as text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    ordinal: int
    code: str
    description: str | None
    quantity: int
    unit_price: str | None
    amount_minor: int


class OrderPlaced(Event, type="crm.portal.OrderPlaced", subject="customer_id"):
    """A customer bought something; it counts as a purchase until it is cancelled."""

    customer_id: UUID
    order_id: UUID
    source: str
    number: str
    currency: str
    business_day: int
    lines: tuple[Line, ...]
    line_count: int
    quantity: int
    total_minor: int


class OrderCancelled(Event, type="crm.portal.OrderCancelled", subject="customer_id"):
    """A whole order is taken back, with all that was refunded of it, as if it had never been placed."""

    customer_id: UUID
    order_id: UUID
    source: str
    number: str
    currency: str
    order_day: int
    business_day: int
    lines: tuple[Line, ...]
    line_count: int
    quantity: int
    total_minor: int
    refunded_minor: int
    reason: Personal | None


class OrderRefunded(Event, type="crm.portal.OrderRefunded", subject="customer_id"):
    """Money of an order went back; that the customer bought on `order_day` stays true."""

    customer_id: UUID
    order_id: UUID
    source: str
    currency: str
    order_day: int
    business_day: int
    amount_minor: int
    reason: Personal | None


class CreditIssued(Event, type="crm.portal.CreditIssued", subject="customer_id"):
    """A credit note: money owed to a customer, for one order or for none that is known. Amounts are positive."""

    customer_id: UUID
    credit_note_id: UUID
    order_id: UUID | None
    source: str
    number: str
    currency: str
    business_day: int
    lines: tuple[Line, ...]
    line_count: int
    quantity: int
    total_minor: int
