"""Purchase histories of many customers at once, in columns; merged customers have one between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from services.analytics.categories import categories
from services.analytics.identity import Merges, identity, merges, of_source
from services.analytics.purchase_days import EVERYBODY, days, product_days
from services.analytics.scope import Scope
from shared.projections import Snapshot

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
_BETWEEN: Final = "\N{INFORMATION SEPARATOR ONE}"


@dataclass(frozen=True)
class Bought:
    """What purchase days say of each customer who has one: aligned columns, in the order of the customers.

    Attributes:
        who: The customer, as an index into those of the histories.
        first: First purchase day, days since 1970-01-01.
        last: Last purchase day.
        days: Distinct purchase days, at least 1.
        orders: Orders that count.
        gross: Minor units of valid orders.
        net: Minor units after refunds and credit notes, also those of days without a purchase.
        repeat_net: The same without the first purchase day: what came back to buy brought.
        log_intervals: Σ ln(interval in days).
    """

    who: IntArray
    first: IntArray
    last: IntArray
    days: IntArray
    orders: IntArray
    gross: IntArray
    net: IntArray
    repeat_net: IntArray
    log_intervals: FloatArray


@dataclass(frozen=True)
class Histories:
    """Day maps of customers: aligned columns with one entry per customer and day, ascending by both.

    Attributes:
        customers: Whose histories these are, sorted.
        whose: The customer of an entry, as an index.
        day: Its business day, days since 1970-01-01.
        orders: The orders that count; 0 where all were cancelled, or there is only a credit note.
        gross: Their minor units.
        back: Minor units of refunds and credit notes.
    """

    customers: tuple[str, ...]
    whose: IntArray
    day: IntArray
    orders: IntArray
    gross: IntArray
    back: IntArray

    @classmethod
    def of(cls, customers: list[str], columns: tuple[Any, Any, Any, Any]) -> Self:
        """Put rows (customer, day, orders, gross, back) in order; those of one customer and day add up."""
        names = sorted(set(customers))
        number = {name: place for place, name in enumerate(names)}
        whose = np.fromiter(map(number.__getitem__, customers), np.int64, len(customers))
        day, *addends = (np.array(column, np.int64) for column in columns)
        order = np.lexsort((day, whose))
        whose, day = whose[order], day[order]
        begins = np.flatnonzero(np.diff(whose, prepend=-1) | np.diff(day, prepend=-1))
        sums = [np.add.reduceat(column[order], begins) if len(begins) else column for column in addends]
        return cls(tuple(names), whose[begins], day[begins], *sums)

    def until(self, day: int) -> Self:
        """The histories up to a day, that day included; the customers stay where they are."""
        seen = self.day <= day
        columns = {name: getattr(self, name)[seen] for name in ("whose", "day", "orders", "gross", "back")}
        return replace(self, **columns)

    @cached_property
    def purchases(self) -> IntArray:
        """Which entries are purchase days."""
        return np.flatnonzero(self.orders > 0)

    @cached_property
    def intervals(self) -> tuple[IntArray, IntArray]:
        """Whose interval, and how long it was in days; ascending by customer and time."""
        whose, day = self.whose[self.purchases], self.day[self.purchases]
        same = whose[1:] == whose[:-1]
        return whose[1:][same], np.diff(day)[same]

    @cached_property
    def last_two(self) -> tuple[IntArray, IntArray]:
        """The last two intervals, older first, of each customer who has as many."""
        whose, lengths = self.intervals
        ends = np.flatnonzero(np.diff(whose, append=-1))
        ends = ends[(ends > 0) & (whose[ends - 1] == whose[ends])] if len(ends) else ends
        return lengths[ends - 1], lengths[ends]

    @cached_property
    def bought(self) -> Bought:
        """What they say of each customer with a purchase."""
        whose, day = self.whose[self.purchases], self.day[self.purchases]
        begins = np.flatnonzero(np.diff(whose, prepend=-1))
        ends = np.flatnonzero(np.diff(whose, append=-1))
        who = whose[begins]
        net = self.gross - self.back
        of_interval, lengths = self.intervals
        total = self._per_customer(self.whose, net)[who]
        return Bought(
            who=who,
            first=day[begins],
            last=day[ends],
            days=ends - begins + 1,
            orders=self._per_customer(whose, self.orders[self.purchases])[who],
            gross=self._per_customer(whose, self.gross[self.purchases])[who],
            net=total,
            repeat_net=total - net[self.purchases][begins],
            log_intervals=np.bincount(of_interval, np.log(lengths), len(self.customers)).astype(np.float64)[who],
        )

    def _per_customer(self, whose: IntArray, values: IntArray) -> IntArray:
        sums = np.zeros(len(self.customers), np.int64)
        np.add.at(sums, whose, values)  # bincount would add integers up as floats
        return sums


def histories(db: Snapshot, scope: Scope) -> Histories:
    """The histories within a scope."""
    c = days.c
    query = sa.select(c.customer, c.day, c.orders, c.gross, c.refunds + c.credit)
    query = query.where(c.day <= scope.as_of)
    return _read(db, query if scope.only is None else query.where(c.currency == scope.only), scope)


def product_histories(db: Snapshot, scope: Scope, product: str | None = None, category: str | None = None) -> Histories:
    """The histories of customers with one product, or with any of one category."""
    c, k = product_days.c, categories.c
    query = sa.select(c.customer, c.day, c.lines, c.gross, sa.literal(0)).where(c.day <= scope.as_of)
    if product is not None:
        query = query.where(c.product == product)
    if category is not None:
        query = query.where(k.category == category, k.source == c.source, k.product == c.product)
    return _read(db, query, scope)


def repeat_histories(db: Snapshot, scope: Scope) -> Histories:
    """The days on which customers bought the same product, each for itself, where that was more than one.

    See `parts` for their names. What was bought once, most of it, has no interval and does not leave the database.
    """
    c, k, merged = product_days.c, identity.c, merges(db)
    what = _BETWEEN + c.source + _BETWEEN + c.product
    query = sa.select(c.customer, what, sa.func.aggregate_strings(sa.cast(c.day, sa.Text), ","))
    query = query.where(c.day <= scope.as_of, c.lines > 0).group_by(c.customer, c.source, c.product)
    moved = sa.union(sa.select(k.customer).where(k.survivor != ""), sa.select(k.survivor))
    rows = _of_scope(db, query.having(sa.or_(sa.func.count() > 1, c.customer.in_(moved))), scope, merged)
    if not rows:
        return Histories.of([], ((), (), (), ()))
    whose, bought, texts = zip(*rows, strict=True)
    several = [text.split(",") for text in texts]
    names = map(str.__add__, map(merged.survivor, whose), bought)
    each = [name for name, some in zip(names, several, strict=True) for _ in some]
    day = np.array([int(day) for some in several for day in some], np.int64)
    return Histories.of(each, (day, np.ones_like(day), np.zeros_like(day), np.zeros_like(day)))


def parts(name: str) -> tuple[str, str, str]:
    """Customer, source and code of the product of one of the histories by product."""
    customer, source, code = name.split(_BETWEEN)
    return customer, source, code


def _read(db: Snapshot, query: sa.Select[Any], scope: Scope) -> Histories:
    merged = merges(db)
    rows = _of_scope(db, query, scope, merged)
    if not rows:
        return Histories.of([], ((), (), (), ()))
    whose, day, orders, gross, back = zip(*rows, strict=True)
    survivors = map(merged.survivor, whose) if merged.into else whose
    return Histories.of(list(survivors), (day, orders, gross, back))


def _of_scope(db: Snapshot, query: sa.Select[Any], scope: Scope, merged: Merges) -> Sequence[sa.Row[Any]]:
    """The rows of the customers of a scope; the first column of the query is the customer."""
    if not merged.into or scope.source == EVERYBODY:
        return db.execute(query.where(*scope.customers(query.selected_columns[0]))).all()
    known = {merged.survivor(subject) for (subject,) in db.execute(of_source(scope.source))}
    return [row for row in db.execute(query).all() if merged.survivor(row[0]) in known]
