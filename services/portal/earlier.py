"""Orders as they stood at a point in the past: told anew from what is kept of each order's history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.portal import orders
from services.portal.orders import OrderSummary, Status
from shared.past import Past
from shared.projections import Snapshot


def last(db: Snapshot, customer_id: UUID, past: Past, timezone: str, limit: int) -> list[OrderSummary]:
    """The last orders that a customer had placed, as far as was known, as they stood then; newest first."""
    c = orders.orders.c
    query = sa.select(*orders.SUMMARY, c.history).where(c.customer == f"customer-{customer_id}")
    if past.as_of is not None:
        query = query.where(c.day <= past.as_of)
    query = query.order_by(c.placed_at.desc(), c.stream.desc())
    found: list[OrderSummary] = []
    for row in db.execute(query):
        happened = list(_seen(row.history, past, timezone))
        if happened:
            found.append(_then(row, happened))
            if len(found) == limit:
                break
    return found


def _seen(history: list[dict[str, Any]], past: Past, timezone: str) -> Iterator[dict[str, Any]]:
    """What had happened to an order; that it was placed is settled by its business day."""
    end = past.end(timezone)
    for happening in history:
        had_come = end is None or happening["what"] == "placed" or happening["at"] < end
        if had_come and past.knew(happening["position"]):
            yield happening


def _then(row: sa.Row[Any], happened: list[dict[str, Any]]) -> OrderSummary:
    refunded = sum(each["amount_minor"] for each in happened if each["what"] == "refunded")
    status: Status = "placed"
    if happened[-1]["what"] == "cancelled":
        status = "cancelled"
    elif refunded:
        status = "refunded" if refunded == row.total_minor else "partly_refunded"
    return replace(orders.summary(row), refunded_minor=refunded, status=status, version=len(happened) - 1)
