"""The scope of a question: up to which day, whose customers, and which money."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from babel.numbers import get_currency_precision

from services.analytics.identity import identifiers, of_source
from services.analytics.purchase_days import EVERYBODY, base_days
from shared.errors import Refused
from shared.projections import Snapshot


@dataclass(frozen=True)
class Question:
    """What somebody asks for: a business day (inclusive), and a source and a currency or none."""

    as_of: int
    source: str | None = None
    currency: str | None = None


@dataclass(frozen=True)
class Scope:
    """What counts: the orders up to a day of the customers of a source, in one currency where there are several.

    Attributes:
        as_of: The last business day that counts.
        source: The customers known by this source; EVERYBODY means all.
        currency: The currency of all money; None without orders, or where money is not asked for.
        mixed: Whether these customers ordered in other currencies as well, so that orders must be picked by theirs.
    """

    as_of: int
    source: str
    currency: str | None
    mixed: bool

    @property
    def only(self) -> str | None:
        """The currency to pick orders by; None when all orders count."""
        return self.currency if self.mixed else None

    @property
    def minor(self) -> int:
        """Minor units in one unit of the currency."""
        digits: int = get_currency_precision(self.currency or "")
        units: int = 10**digits
        return units

    def customers(self, customer: sa.ColumnElement[str]) -> Iterator[sa.ColumnElement[bool]]:
        """The condition that a customer is of the source, if there is one."""
        if self.source != EVERYBODY:
            yield customer.in_(of_source(self.source))


def scope(db: Snapshot, question: Question, *, money: bool = True) -> Scope:
    """Settle a question.

    Raises:
        Refused: nobody is known by the source, or money is asked for and several currencies are there to choose from.
    """
    if question.source is not None:
        _check_source(db, question.source)
    found = currencies(db, question.source)
    currency = question.currency
    if currency is None and len(found) == 1:
        currency = found[0]
    if currency is None and found and money:
        raise several(found)
    mixed = bool(set(found) - {currency})
    return Scope(question.as_of, question.source or EVERYBODY, currency, mixed)


def several(found: list[str]) -> Refused:
    """The refusal to add up money in several currencies."""
    return Refused(f"choose a currency: there are orders in {', '.join(sorted(found))}", field="currency")


def currencies(db: Snapshot, source: str | None = None, as_of: int | None = None) -> list[str]:
    """The currencies of the orders of a source's customers, up to a day or of all time; most orders first."""
    orders = sa.func.sum(base_days.c.orders)
    query = sa.select(base_days.c.currency).where(base_days.c.source == (source or EVERYBODY))
    if as_of is not None:
        query = query.where(base_days.c.day <= as_of)
    query = query.group_by(base_days.c.currency).having(orders > 0).order_by(orders.desc(), base_days.c.currency)
    return list(db.execute(query).scalars())


def sources(db: Snapshot) -> list[str]:
    """The sources whose customers have orders, by name."""
    query = sa.select(base_days.c.source).where(base_days.c.source != EVERYBODY).distinct()
    return sorted(db.execute(query).scalars())


def _check_source(db: Snapshot, source: str) -> None:
    known = sa.select(sa.exists().where(identifiers.c.source == source))
    if not db.execute(known).scalar_one():
        names = ", ".join(sources(db)) or "none yet"
        raise Refused(f"no customer is known by {source!r}; sources with orders: {names}", field="source")
