"""Timing: how long customers take until they buy again, whole base or one product."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from services.analytics.intervals import Intervals, wheat_morrison_k
from services.analytics.purchase_days import days, interval_days, last_intervals, product_days
from services.analytics.rhythm import Rhythm
from services.analytics.scope import Scope
from shared.projections import Snapshot


@dataclass(frozen=True)
class Timing:
    """The intervals between purchase days, and how regular they are: about 1 at random, more when regular."""

    intervals: Intervals
    wheat_k: float | None


def timing(db: Snapshot, scope: Scope, product: str | None = None) -> Timing:
    """The timing of a base, or of the purchases of one product in it.

    A base in one currency is read from what is kept by day. One product, or one currency of several, is counted from
    the purchase days themselves.
    """
    if product is not None:
        return _counted(db, _product(scope, product), scope.as_of)
    if scope.only is not None:
        query = sa.select(days.c.customer, days.c.day, days.c.orders).where(*scope.purchases())
        return _counted(db, query.order_by(days.c.customer), scope.as_of)
    return _kept(db, scope)


def _kept(db: Snapshot, scope: Scope) -> Timing:
    lengths = sa.select(interval_days.c.length, sa.func.sum(interval_days.c.intervals).label("n"))
    lengths = lengths.where(interval_days.c.source == scope.source, interval_days.c.day <= scope.as_of)
    c = last_intervals.c
    pairs = sa.select(c.earlier, c.later, sa.func.sum(c.begun - c.ended).label("customers"))
    pairs = pairs.where(c.source == scope.source, c.day <= scope.as_of).group_by(c.earlier, c.later)
    return Timing(
        Intervals.of((row.length, row.n) for row in db.execute(lengths.group_by(interval_days.c.length))),
        wheat_morrison_k((row.earlier, row.later, row.customers) for row in db.execute(pairs)),
    )


def _product(scope: Scope, product: str) -> sa.Select[Any]:
    c = product_days.c
    query = sa.select(c.customer, c.day, c.lines.label("orders")).where(
        c.product == product, c.lines > 0, c.day <= scope.as_of
    )
    return query.where(*scope.customers(c.customer)).order_by(c.customer)


def _counted(db: Snapshot, query: sa.Select[Any], as_of: int) -> Timing:
    """Count rows (customer, day, orders) that stand together by customer."""
    rhythms = [
        Rhythm.of(((row.day, row.orders) for row in some), as_of)
        for _, some in groupby(db.execute(query), attrgetter("customer"))
    ]
    pairs = Counter(rhythm.last_two for rhythm in rhythms if rhythm.last_two)
    lengths = ((length, 1) for rhythm in rhythms for length in rhythm.intervals)
    return Timing(Intervals.of(lengths), wheat_morrison_k((*pair, n) for pair, n in pairs.items()))
