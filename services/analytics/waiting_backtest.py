"""What the timing of a base was worth: intervals that ended since, each foretold from its own past only."""

from __future__ import annotations

import statistics
from bisect import insort
from dataclasses import dataclass

import numpy as np

from services.analytics.accuracy import coverage
from services.analytics.fitting import FloatArray
from services.analytics.histories import Histories, IntArray
from services.analytics.waiting import WINDOW, Waiting


@dataclass(frozen=True)
class WaitingBacktest:
    """Mean absolute errors in days, and how many intervals ended within the window that should hold eight of ten.

    Attributes:
        since: The day up to which the model saw purchases.
        n: Intervals that began after it and had at least one before them; in the first half of the time since, so
            that long ones could end as well.
        mae: Of the model's median.
        mae_own_mean: Of the mean of the customer's earlier intervals.
        mae_own_median: Of their median.
        coverage: The share within the window; None without such an interval.
    """

    since: int
    n: int
    mae: float | None
    mae_own_mean: float | None
    mae_own_median: float | None
    coverage: float | None


def waiting_backtest(model: Waiting, some: Histories, since: int, until: int) -> WaitingBacktest:
    """Let a model that was fitted up to `since` foretell intervals that ended by `until`."""
    some = some.until(until)
    whose, lengths = some.intervals
    if not len(lengths):
        return WaitingBacktest(since, 0, None, None, None, None)
    begins = np.flatnonzero(np.diff(whose, prepend=-1))
    number = np.arange(len(whose)) - np.repeat(begins, np.diff(begins, append=len(whose)))
    bought = some.bought
    first = np.zeros(len(some.customers), np.int64)
    first[bought.who] = bought.first
    before = np.cumsum(lengths) - lengths
    past = before - np.repeat(before[begins], np.diff(begins, append=len(whose)))
    start = first[whose] + past
    tested = (number > 0) & (start > since) & (start <= since + (until - since) / 2)
    n, total, truth = number[tested], past[tested], lengths[tested].astype(np.float64)
    if not len(truth):
        return WaitingBacktest(since, 0, None, None, None, None)
    low, middle, high = (model.quantile(p, n, total) for p in (WINDOW[0], 0.5, WINDOW[1]))
    own = _medians(lengths, begins)[tested]
    return WaitingBacktest(
        since=since,
        n=len(truth),
        mae=float(np.abs(truth - middle).mean()),
        mae_own_mean=float(np.abs(truth - total / n).mean()),
        mae_own_median=float(np.abs(truth - own).mean()),
        coverage=coverage(truth, low, high),
    )


def _medians(lengths: IntArray, begins: IntArray) -> FloatArray:
    """The median of the intervals before each, of the same customer; NaN before the first."""
    found = np.full(len(lengths), np.nan)
    starts = set(begins.tolist())
    earlier: list[int] = []
    for place, length in enumerate(lengths.tolist()):
        if place in starts:
            earlier = []
        else:
            found[place] = statistics.median(earlier)
        insort(earlier, length)
    return found
