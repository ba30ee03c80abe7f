"""Timing: how long customers take until they buy again, whole base or one product."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import sqlalchemy as sa

from services.analytics import waiting
from services.analytics.fitting import Fit
from services.analytics.histories import Histories, histories, product_histories
from services.analytics.intervals import Intervals, wheat_morrison_k
from services.analytics.purchase_days import interval_days, last_intervals
from services.analytics.scope import Scope
from services.analytics.waiting import Gaps, Waiting
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
        return counted(product_histories(db, scope, product))
    return _kept(db, scope) if scope.only is None else counted(histories(db, scope))


def foretold(some: Histories) -> Fit[Waiting]:
    """What the intervals of histories say of the next ones."""
    bought = some.bought
    gaps = Gaps.of(bought.days - 1, bought.last - bought.first, log_sum(counted(some).intervals))
    return waiting.fit(gaps)


def log_sum(intervals: Intervals) -> float:
    """Σ ln(interval in days), by lengths: the same in whatever order customers come."""
    return math.fsum(count * math.log(length) for length, count in intervals.counts.items())


def counted(some: Histories) -> Timing:
    """The timing of histories."""
    pairs = Counter(zip(*(column.tolist() for column in some.last_two), strict=True))
    lengths = Counter(some.intervals[1].tolist())
    return Timing(Intervals.of(lengths.items()), wheat_morrison_k((*pair, n) for pair, n in pairs.items()))


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
