"""What a customer's orders and credit notes come to, per currency."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from services.portal.events import CreditIssued, OrderCancelled, OrderPlaced, OrderRefunded
from shared.projections import Snapshot, Subject, Sum, Text, f

totals = Sum(
    "customer_totals",
    key=(Subject("customer"), Text("currency")),
    adds=("orders", "gross", "refunds", "credit_notes", "credit"),
)
totals.on(OrderPlaced, currency=f.currency, orders=+1, gross=+f.total_minor)
totals.on(OrderRefunded, currency=f.currency, refunds=+f.amount_minor)
totals.on(OrderCancelled, currency=f.currency, orders=-1, gross=-f.total_minor, refunds=-f.refunded_minor)
totals.on(CreditIssued, currency=f.currency, credit_notes=+1, credit=+f.total_minor)


@dataclass(frozen=True)
class Totals:
    """What a customer's orders that stand come to in one currency; net = gross - refunds - credit."""

    currency: str
    orders: int
    gross_minor: int
    refunded_minor: int
    credit_notes: int
    credit_minor: int

    @property
    def net_minor(self) -> int:
        """What the customer paid in the end."""
        return self.gross_minor - self.refunded_minor - self.credit_minor


def of_customer(db: Snapshot, customer_id: UUID) -> list[Totals]:
    """What a customer's orders come to, per currency, the largest number of orders first."""
    query = (
        sa.select(
            totals.c.currency,
            totals.c.orders,
            totals.c.gross.label("gross_minor"),
            totals.c.refunds.label("refunded_minor"),
            totals.c.credit_notes,
            totals.c.credit.label("credit_minor"),
        )
        .where(totals.c.customer == f"customer-{customer_id}")
        .order_by(totals.c.orders.desc(), totals.c.currency)
    )
    return [Totals(**row) for row in db.execute(query).mappings()]
