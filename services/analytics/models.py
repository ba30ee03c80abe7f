"""Models: what is fitted to the purchases of a whole base, and how well the same fit foretold what is known by now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from services.analytics import buying_fit, spending
from services.analytics.accuracy import Accuracy, auc, calibration_error
from services.analytics.buying import WEEK, Buying, Counts
from services.analytics.fitting import Fit
from services.analytics.histories import Bought, Histories
from services.analytics.intervals import Intervals
from services.analytics.spending import Baskets, Spending
from services.analytics.timing import counted, foretold, log_sum
from services.analytics.waiting import Waiting

_REGULARITIES: Final = (1, 2, 3, 4)


def counts_of(bought: Bought, as_of: int, unit: float = WEEK) -> Counts:
    """One row per customer who bought."""
    return Counts.each(bought.days - 1, bought.last - bought.first, as_of - bought.first, unit)


def baskets_of(bought: Bought, minor: int) -> Baskets:
    """Net spend on the purchase days after the first, in units of `minor` minor units each."""
    return Baskets.of(bought.days - 1, bought.repeat_net / minor)


@dataclass(frozen=True)
class Backtest:
    """A model fitted on the past of a day, against what came until a later day.

    Attributes:
        since: The day up to which the model saw purchases.
        until: The day up to which it had to foretell them.
        purchases: Purchase days foretold against those that came.
        auc: The chance that one who bought had a higher chance to be active than one who did not.
        calibration_error: How far such chances are from frequencies.
    """

    since: int
    until: int
    purchases: Accuracy
    auc: float | None
    calibration_error: float | None


@dataclass(frozen=True)
class Models:
    """All models of one base on one day, fitted for one question.

    Attributes:
        n: Customers with a purchase.
        bg: BG/NBD.
        mbg: MBG/NBD: the kind that scores are made with.
        spending: Gamma-gamma.
        waiting: Gamma intervals.
        wheat_k: Regularity of the base; None with fewer than two customers with two intervals.
    """

    n: int
    bg: Fit[Buying]
    mbg: Fit[Buying]
    spending: Fit[Spending]
    waiting: Fit[Waiting]
    wheat_k: float | None

    @property
    def flags(self) -> list[str]:
        """What has to be said beside the models, each after the model's name."""
        named: dict[str, Fit[Any]] = {"bg_nbd": self.bg, "mbg_nbd": self.mbg}
        named |= {"gamma_gamma": self.spending, "intervals": self.waiting}
        return [f"{name}: {flag.value}" for name, fit in named.items() for flag in fit.flags]


def fitted(some: Histories, as_of: int, *, minor: int = 100, unit: float = WEEK, guard: bool = True) -> Models:
    """Fit the models to histories up to a day, that day included."""
    some = some.until(as_of)
    bought, timing = some.bought, counted(some)
    counts = _grouped(bought, timing.intervals, as_of, unit)
    return Models(
        n=len(bought.who),
        bg=buying_fit.fit(counts, m=0, guard=guard),
        mbg=buying_fit.fit(counts, m=1, guard=guard),
        spending=spending.fit(baskets_of(bought, minor)),
        waiting=foretold(some),
        wheat_k=timing.wheat_k,
    )


def regular(some: Histories, as_of: int, *, unit: float = WEEK, guard: bool = True) -> Fit[Buying]:
    """MBG/CNBD-k with the whole k that fits best: how regular the base is. It takes seconds, and no score needs it."""
    some = some.until(as_of)
    counts = _grouped(some.bought, counted(some).intervals, as_of, unit)
    fits = [buying_fit.fit(counts, m=1, k=float(k), guard=guard) for k in _REGULARITIES]
    return max(fits, key=lambda fit: -np.inf if fit.log_likelihood is None else fit.log_likelihood)


def backtest(fit: Fit[Buying], some: Histories, since: int, until: int, unit: float = WEEK) -> Backtest | None:
    """Compare a model that was fitted up to `since` with what came after it; None where it may not be used."""
    model = fit.usable
    if model is None:
        return None
    bought = some.until(since).bought
    counts = counts_of(bought, since, unit)
    ahead = (until - since) / unit
    later = some.until(until)
    days = np.bincount(later.whose[later.purchases], minlength=len(some.customers))[bought.who]
    came = (days - bought.days).astype(np.float64)
    chance = model.active(counts, ahead)
    expected = model.expected(counts, ahead)
    return Backtest(
        since,
        until,
        Accuracy.of(came, expected),
        auc(came > 0, chance),
        calibration_error(came > 0, chance),
    )


def recent_backtest(some: Histories, as_of: int, horizon: int, *, guard: bool = True) -> Backtest | None:
    """What the model would have foretold of the last `horizon` days, had it been fitted before them."""
    since = as_of - horizon
    bought = some.until(since)
    if not len(bought.purchases):
        return None
    counts = _grouped(bought.bought, counted(bought).intervals, since, WEEK)
    return backtest(buying_fit.fit(counts, guard=guard), some, since, as_of)


def usable(fit: Fit[Buying], told: Backtest | None) -> Fit[Buying]:
    """The fit as its backtest leaves it."""
    return fit.backtested(told.purchases.total_error if told else None)


def _grouped(bought: Bought, intervals: Intervals, as_of: int, unit: float) -> Counts:
    span, age = bought.last - bought.first, as_of - bought.first
    return Counts.grouped(bought.days - 1, span, age, log_intervals=log_sum(intervals), unit=unit)
