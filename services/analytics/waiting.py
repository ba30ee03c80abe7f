"""Waiting: when the next purchase is due, for customers (or customers and products) with few intervals or many.

Intervals of one customer are gamma distributed (shape k) at a rate of their own, and these rates vary over the base
(gamma: r, alpha). What the base knows carries a customer with one interval; one with ten speaks alone. Time is in days.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import special

from services.analytics.fitting import LOGS, Fit, FloatArray, lowest

FEWEST_RETURNING = 10
FEWEST_INTERVALS = 30
"""With fewer customers who came back, or fewer intervals, a base has no timing of its own."""

FARTHEST = 36_525
"""Days: a century is as good as never, and a calendar ends."""

WINDOW = (0.1, 0.9)
"""Between these quantiles eight of ten purchases come; who waits beyond the second is overdue."""


@dataclass(frozen=True, eq=False)
class Gaps:
    """What the model needs to know of intervals: aligned columns, one row per (n, total), in an order of its own.

    Attributes:
        n: Intervals of a customer.
        total: Days from the first purchase to the last: their sum.
        customers: How many customers a row stands for.
        log_intervals: Σ ln(interval in days) over all intervals of all customers.
    """

    n: FloatArray
    total: FloatArray
    customers: FloatArray
    log_intervals: float

    @classmethod
    def of(cls, n: npt.ArrayLike, total: npt.ArrayLike, log_intervals: float, customers: npt.ArrayLike = 1) -> Self:
        """Group customers; those without an interval say nothing and are left out.

        Args:
            n: Intervals of each.
            total: Days from the first purchase to the last of each.
            log_intervals: Σ ln(interval in days); exactly Σ count · ln(length) over a histogram of intervals.
            customers: How many customers each row stands for.
        """
        rows = np.stack([np.asarray(n, dtype=np.int64), np.asarray(total, dtype=np.int64)])
        some = rows[0] > 0
        sizes = np.broadcast_to(np.asarray(customers, dtype=np.float64), some.shape)[some]
        distinct, inverse = np.unique(rows[0, some] << 32 | rows[1, some], return_inverse=True)
        counts = np.bincount(inverse, weights=sizes).astype(np.float64)
        columns = ((distinct >> 32).astype(np.float64), (distinct & 0xFFFFFFFF).astype(np.float64))
        return cls(*columns, counts, float(log_intervals))


@dataclass(frozen=True)
class Due:
    """When a customer's next purchase is due, as seen on a day; days since 1970-01-01.

    Attributes:
        own: False when one purchase is not enough data, and this is what the population suggests instead.
        day: As likely before as after.
        earliest: Nine of ten come no earlier.
        latest: Nine of ten come no later.
        elapsed: Days since the last purchase.
        overdue: Whether the elapsed days are beyond nine of ten; never from the population alone.
        shorter: The chance that an interval would have ended by now: how far overdue.
    """

    own: bool
    day: int
    earliest: int
    latest: int
    elapsed: int
    overdue: bool
    shorter: float


@dataclass(frozen=True)
class Waiting:
    """A fitted model. Each figure takes n intervals that sum to `total` days, numbers or aligned columns.

    Attributes:
        k: Regularity; about 1 when purchases come at random, above 1 when they come regularly.
        r: Shape of the rates: how alike the customers are.
        alpha: Inverse scale of the rates, in days.
    """

    k: float
    r: float
    alpha: float

    def quantile(self, p: float, n: npt.ArrayLike, total: npt.ArrayLike) -> FloatArray:
        """Days that the next interval lasts at most with a probability of p; infinite where that is beyond a float."""
        n, total = _columns(n, total)
        share = special.betaincinv(self.k, self.r + self.k * n, p)
        with np.errstate(divide="ignore"):
            days: FloatArray = (self.alpha + total) * share / (1 - share)
        return days

    def mean(self, n: npt.ArrayLike, total: npt.ArrayLike) -> FloatArray:
        """Mean days of the next interval; NaN where few intervals and unequal customers leave none."""
        n, total = _columns(n, total)
        rest = self.r + self.k * n - 1
        return self.k * (self.alpha + total) / np.where(rest > 0, rest, np.nan)

    def silence(self, elapsed: npt.ArrayLike, n: npt.ArrayLike, total: npt.ArrayLike) -> FloatArray:
        """The chance that the next interval lasts more than the elapsed days."""
        n, total = _columns(n, total)
        days = np.asarray(elapsed, dtype=np.float64)
        value: FloatArray = special.betaincc(self.k, self.r + self.k * n, days / (self.alpha + total + days))
        return value

    def soon(self, h: float, elapsed: npt.ArrayLike, n: npt.ArrayLike, total: npt.ArrayLike) -> FloatArray:
        """The chance of a purchase in the next h days when there was none for the elapsed days."""
        now = self.silence(elapsed, n, total)
        later = self.silence(np.asarray(elapsed) + h, n, total)
        return 1 - np.divide(later, now, out=np.ones_like(now), where=now > 0)

    def spread(self, edges: npt.ArrayLike, gaps: Gaps) -> FloatArray:
        """How many intervals to expect between one edge in days and the next, of customers with as many as these."""
        longer = [
            (gaps.customers * gaps.n * self.silence(edge, gaps.n, gaps.total)).sum() for edge in np.asarray(edges)
        ]
        return -np.diff(np.array(longer, dtype=np.float64))

    def due(self, last: int, n: int, total: int, as_of: int) -> Due:
        """When the next purchase of a customer is due who bought last on a day and had n intervals."""
        low, middle, high = (float(self.quantile(p, n, total)) for p in (WINDOW[0], 0.5, WINDOW[1]))
        elapsed = as_of - last
        return Due(
            own=n > 0,
            day=last + _whole(middle),
            earliest=last + _whole(low),
            latest=last + _whole(high),
            elapsed=elapsed,
            overdue=n > 0 and elapsed > high,
            shorter=1 - float(self.silence(elapsed, n, total)),
        )

    def log_likelihood(self, gaps: Gaps) -> float:
        """Natural logarithm of the likelihood of all intervals."""
        shape = self.r + self.k * gaps.n
        by_row = special.gammaln(shape) - special.gammaln(self.r) - gaps.n * special.gammaln(self.k)
        by_row += self.r * math.log(self.alpha) - shape * np.log(self.alpha + gaps.total)
        return (self.k - 1) * gaps.log_intervals + float((gaps.customers * by_row).sum())


def fit(gaps: Gaps) -> Fit[Waiting]:
    """Estimate a model by maximum likelihood from completed intervals.

    Where customers cannot be told apart, or each is a clockwork, r or k has no end: rejected, at a bound.
    """
    customers, intervals = int(gaps.customers.sum()), float((gaps.customers * gaps.n).sum())
    if customers < FEWEST_RETURNING or intervals < FEWEST_INTERVALS:
        return Fit.declined(customers)

    def objective(at: FloatArray) -> tuple[float, FloatArray]:
        model = Waiting(*np.exp(at).tolist())
        return -model.log_likelihood(gaps) / customers, -gradient(model, gaps) / customers

    mean = float((gaps.customers * gaps.total).sum()) / intervals
    starts = [np.log([k, r, mean * r / k]) for k, r in ((1.5, 2.0), (1.0, 0.7))]
    best = lowest(objective, starts, [LOGS, LOGS, LOGS])
    model = Waiting(*np.exp(best.at).tolist())
    return Fit.judged(model, customers, model.log_likelihood(gaps), best.flags)


def gradient(model: Waiting, gaps: Gaps) -> FloatArray:
    """The slope of the log-likelihood by ln k, ln r and ln alpha."""
    k, r, alpha = model.k, model.r, model.alpha
    psi = special.digamma
    shape, sums = r + k * gaps.n, alpha + gaps.total
    by_k = gaps.log_intervals + (gaps.customers * gaps.n * (psi(shape) - psi(k) - np.log(sums))).sum()
    by_r = (gaps.customers * (psi(shape) - psi(r) + np.log(alpha / sums))).sum()
    by_alpha = (gaps.customers * (r / alpha - shape / sums)).sum()
    return np.array([k * by_k, r * by_r, alpha * by_alpha])


def _whole(days: float) -> int:
    return math.floor(min(days, FARTHEST) + 0.5)


def _columns(n: npt.ArrayLike, total: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    return np.asarray(n, dtype=np.float64), np.asarray(total, dtype=np.float64)
