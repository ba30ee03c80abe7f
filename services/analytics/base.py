"""The base: what all figures stand on, in total and by month."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, Field

from services.analytics.purchase_days import base_days
from services.analytics.scope import Scope
from shared.clock import date_of, day_number
from shared.projections import Snapshot


class Base(BaseModel):
    """The base up to a day: valid orders only, and customers with at least one of them."""

    as_of: date
    currency: str | None = Field(description="The currency of all amounts; null without orders.")
    lines: int
    orders: int
    customers: int
    customer_days: int = Field(description="Days on which a customer ordered, each customer counted by itself.")
    gross_minor: int
    refund_minor: int = Field(description="0 or negative.")
    credit_notes: int
    credit_minor: int = Field(description="0 or negative.")

    @property
    def net_minor(self) -> int:
        """What remains of the orders after refunds and credit notes."""
        return self.gross_minor + self.refund_minor + self.credit_minor


@dataclass(frozen=True)
class Month:
    """The orders of one calendar month; amounts in minor units, refunds and credit 0 or negative.

    Attributes:
        first: The first of the month.
        days: How many of its days lie between the first order of all and the day of the question.
    """

    first: date
    days: int
    orders: int
    gross: int
    refunds: int
    credit: int

    @property
    def net(self) -> int:
        """What remains after refunds and credit notes."""
        return self.gross + self.refunds + self.credit

    @property
    def full(self) -> bool:
        """Whether the whole month can be seen."""
        return self.days == (_next(self.first) - self.first).days


def base(db: Snapshot, scope: Scope) -> Base:
    """What a base adds up to."""
    c = base_days.c
    totals = (c.lines, c.orders, c.customers, c.customer_days, c.gross, c.refunds, c.credit_notes, c.credit)
    query = sa.select(*(sa.func.coalesce(sa.func.sum(column), 0).label(column.name) for column in totals))
    row = db.execute(_within(query, scope)).one()
    return Base(
        as_of=date_of(scope.as_of),
        currency=scope.currency,
        lines=row.lines,
        orders=row.orders,
        customers=row.customers,
        customer_days=row.customer_days,
        gross_minor=row.gross,
        refund_minor=-row.refunds,
        credit_notes=row.credit_notes,
        credit_minor=-row.credit,
    )


def newcomers(db: Snapshot, scope: Scope, since: int) -> int:
    """Customers whose first purchase was after a day."""
    query = sa.select(sa.func.coalesce(sa.func.sum(base_days.c.customers), 0)).where(base_days.c.day > since)
    return int(db.execute(_within(query, scope)).scalar_one())


def months(db: Snapshot, scope: Scope) -> list[Month]:
    """The base by month, without a gap from the first order to the day of the question."""
    c = base_days.c
    query = sa.select(c.day, c.orders, c.gross, c.refunds, c.credit).order_by(c.day)
    rows = db.execute(_within(query, scope)).all()
    if not rows:
        return []
    start = date_of(rows[0].day)
    by_month = {first: list(some) for first, some in groupby(rows, lambda row: date_of(row.day).replace(day=1))}
    found = []
    first = start.replace(day=1)
    while first <= max(by_month):
        seen = min(day_number(_next(first)), scope.as_of + 1) - day_number(max(first, start))
        found.append(_month(first, seen, by_month.get(first, ())))
        first = _next(first)
    return found


def _month(first: date, days: int, rows: Iterable[Any]) -> Month:
    figures = [(row.orders, row.gross, -row.refunds, -row.credit) for row in rows]
    orders, gross, refunds, credit = map(sum, zip((0, 0, 0, 0), *figures, strict=True))
    return Month(first, days, orders, gross, refunds, credit)


def _within(query: sa.Select[Any], scope: Scope) -> sa.Select[Any]:
    query = query.where(base_days.c.source == scope.source, base_days.c.day <= scope.as_of)
    return query if scope.only is None else query.where(base_days.c.currency == scope.only)


def _next(first: date) -> date:
    """The first of the month after."""
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)
