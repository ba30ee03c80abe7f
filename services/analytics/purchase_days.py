"""Purchase days: what analytics keeps of every order, and what follows from it for the whole base.

A purchase is an order that was placed and not cancelled. Refunds count on the day of their order, credit notes on
their own day, both as positive amounts. Every derived row stands on the business day from which on it is true, so the
sum of all rows up to a day is the exact state as of that day, also for days long past.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, Final

from services.analytics.categories import categories
from services.analytics.identity import identifiers, identity, known_by
from services.analytics.model_versions import versions
from services.analytics.rhythm import Rhythm
from services.contacts.events import SubjectErased
from services.portal.events import CreditIssued, OrderCancelled, OrderPlaced, OrderRefunded
from shared.projections import Derived, Family, Rows, Subject, Sum, Text, Whole, f

EVERYBODY: Final = ""
"""The source under which the derived tables count all customers, known by an alias or not."""

_LAST_DAY: Final = 2**31


days = Sum(
    "customer_days",
    key=(Subject("customer"), Text("currency"), Whole("day")),
    adds=("orders", "lines", "gross", "refunds", "credit_notes", "credit"),
)
days.on(OrderPlaced, currency=f.currency, day=f.business_day, orders=+1, lines=+f.line_count, gross=+f.total_minor)
days.on(
    OrderCancelled,
    currency=f.currency,
    day=f.order_day,
    orders=-1,
    lines=-f.line_count,
    gross=-f.total_minor,
    refunds=-f.refunded_minor,
)
days.on(OrderRefunded, currency=f.currency, day=f.order_day, refunds=+f.amount_minor)
days.on(CreditIssued, currency=f.currency, day=f.business_day, credit_notes=+1, credit=+f.total_minor)

product_days = Sum(
    "customer_product_days",
    key=(Subject("customer"), Text("source"), Text("product"), Whole("day")),
    adds=("lines", "quantity", "gross"),
    indexes=("product",),
)
product_days.on(
    OrderPlaced,
    each=f.lines,
    source=f.source,
    product=f.lines.code,
    day=f.business_day,
    lines=+1,
    quantity=+f.lines.quantity,
    gross=+f.lines.amount_minor,
)
product_days.on(
    OrderCancelled,
    each=f.lines,
    source=f.source,
    product=f.lines.code,
    day=f.order_day,
    lines=-1,
    quantity=-f.lines.quantity,
    gross=-f.lines.amount_minor,
)


def _sources(rows: Rows) -> tuple[str, ...]:
    """Under which sources a customer counts; nobody counts twice."""
    return (EVERYBODY, *sorted({source for known in rows[known_by] for source in known.sources}))


def _rhythm(some: Iterable[Any]) -> Rhythm:
    return Rhythm.of(((row.day, row.orders) for row in some), _LAST_DAY)


base_days = Derived(
    "base_days",
    of=(days, known_by),
    by="customer",
    through=identity,
    key=(Text("source"), Text("currency"), Whole("day")),
    adds=("customers", "customer_days", *days.adds),
)
"""A base by day: `customers` are those with their first purchase in that currency on that day."""


@base_days.group
def _(_customer: str, rows: Rows) -> Iterable[tuple[Any, ...]]:
    figures: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0] * len(days.adds)))
    for row in rows[days]:  # two who were merged may both have bought on one day
        on_day = figures[row.currency][row.day]
        for number, name in enumerate(days.adds):
            on_day[number] += getattr(row, name)
    sources = _sources(rows)
    for currency, by_day in figures.items():
        first = min((day for day, (orders, *_) in by_day.items() if orders > 0), default=None)
        for day, added in by_day.items():
            for source in sources:
                yield (source, currency, day, int(day == first), int(added[0] > 0), *added)


interval_days = Derived(
    "interval_histogram",
    of=(days, known_by),
    by="customer",
    through=identity,
    key=(Text("source"), Whole("day"), Whole("length")),
    adds=("intervals",),
)
"""Intervals between purchase days in any currency, by the day on which they ended and their length in days."""


@interval_days.group
def _(_customer: str, rows: Rows) -> Iterable[tuple[Any, ...]]:
    rhythm = _rhythm(rows[days])
    for source in _sources(rows):
        for day, length in zip(rhythm.days[1:], rhythm.intervals, strict=True):
            yield source, day, length, 1


last_intervals = Derived(
    "last_intervals",
    of=(days, known_by),
    by="customer",
    through=identity,
    key=(Text("source"), Whole("day"), Whole("earlier"), Whole("later")),
    adds=("begun", "ended"),
)
"""The last two intervals of customers: from which day on a pair is the last one, and on which day it no longer is."""


@last_intervals.group
def _(_customer: str, rows: Rows) -> Iterable[tuple[Any, ...]]:
    for source in _sources(rows):
        for day, pair, begun, ended in _turns(_rhythm(rows[days])):
            yield (source, day, *pair, begun, ended)


def _turns(rhythm: Rhythm) -> Iterator[tuple[int, tuple[int, int], int, int]]:
    """(day, pair, begun, ended) for each day on which the last two intervals changed."""
    before = None
    for day, pair in zip(rhythm.days[2:], pairwise(rhythm.intervals), strict=True):
        yield day, pair, 1, 0
        if before is not None:
            yield day, before, 0, 1
        before = pair


family = Family(
    "rhythm",
    version=3,
    tables=(
        known_by,
        identifiers,
        identity,
        days,
        product_days,
        base_days,
        interval_days,
        last_intervals,
        categories,
        versions,
    ),
    forgets=SubjectErased,
)
"""All that figures are made of: rhythm, loyalty, value and the base are questions to the same purchase days."""
