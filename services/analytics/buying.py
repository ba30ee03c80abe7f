"""Buying: the chance that a customer still buys, and how often: BG/NBD, MBG/NBD and (M)BG/CNBD-k in one likelihood.

Fader, Hardie and Lee (Marketing Science 24(2), 2005), Batislam, Denizel and Filiztekin (IJRM 24(3), 2007), Reutterer,
Platzer and Schröder (IJRM 38(1), 2021). Each customer buys at a rate of their own (gamma: r, alpha), at intervals of
shape k, and may drop out for good after each purchase with a probability of their own (beta: a, b).
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import special

from services.analytics.fitting import FloatArray

WEEK = 7
_KEY_BITS = 21
_NUDGE = 1e-7


@dataclass(frozen=True, eq=False)
class Counts:
    """What the models need to know of customers: aligned columns, times in one unit (weeks unless said otherwise).

    Attributes:
        x: Purchase days after the first.
        t_x: Time from the first purchase to the last.
        T: Time from the first purchase to the day of the question.
        customers: How many customers a row stands for.
        log_intervals: Σ ln interval over all intervals of all customers; no matter while k is 1.
    """

    x: FloatArray
    t_x: FloatArray
    T: FloatArray
    customers: FloatArray
    log_intervals: float = 0.0

    @classmethod
    def each(cls, x: npt.ArrayLike, t_x: npt.ArrayLike, T: npt.ArrayLike, unit: float = WEEK) -> Self:  # noqa: N803
        """One row per customer, aligned with the columns given; times in days, `unit` days are the unit of time."""
        counted, last, age = (np.asarray(column, dtype=np.float64) for column in (x, t_x, T))
        return cls(counted, last / unit, age / unit, np.ones(len(counted)))

    @classmethod
    def grouped(
        cls,
        x: npt.ArrayLike,
        t_x: npt.ArrayLike,
        T: npt.ArrayLike,  # noqa: N803
        customers: npt.ArrayLike = 1,
        log_intervals: float = 0.0,
        unit: float = WEEK,
    ) -> Self:
        """One row for all customers who are equal, in an order of its own: what to fit on.

        Args:
            x: Purchase days after the first.
            t_x: Whole days from the first purchase to the last.
            T: Whole days from the first purchase to the day of the question.
            customers: How many customers each row stands for.
            log_intervals: Σ ln(interval in days); exactly Σ count · ln(length) over a histogram of intervals.
            unit: Days in the unit of time.
        """
        # One sort of packed integers: a million rows take 0.1 s, np.unique(axis=0) over columns 2 s.
        keys = np.zeros(len(np.asarray(x)), dtype=np.int64)
        for column in (x, t_x, T):
            keys = keys << _KEY_BITS | np.asarray(column, dtype=np.int64)
        distinct, inverse = np.unique(keys, return_inverse=True)
        each = np.broadcast_to(np.asarray(customers, dtype=np.float64), keys.shape)
        sizes = np.bincount(inverse, weights=each).astype(np.float64)
        mask = (1 << _KEY_BITS) - 1
        row_x = (distinct >> 2 * _KEY_BITS).astype(np.float64)
        row_t_x, row_T = (distinct >> _KEY_BITS & mask) / unit, (distinct & mask) / unit  # noqa: N806
        total = float(log_intervals) - float((row_x * sizes).sum()) * math.log(unit)
        return cls(row_x, row_t_x, row_T, sizes, total)

    @property
    def n(self) -> int:
        """Customers in all."""
        return int(self.customers.sum())

    @property
    def returning(self) -> int:
        """Customers with a purchase day after the first."""
        return int(self.customers[self.x > 0].sum())

    def total(self, values: FloatArray) -> float:
        """Sum a column of values over the customers; not by BLAS, whose digits depend on the number of cores."""
        return float((self.customers * values).sum())

    @cached_property
    def by_x(self) -> tuple[FloatArray, FloatArray]:
        """The distinct x and the customers with each: gamma functions need be known there alone."""
        distinct, inverse = np.unique(self.x, return_inverse=True)
        return distinct, np.bincount(inverse, weights=self.customers).astype(np.float64)


@dataclass(frozen=True)
class Buying:
    """A fitted model; its time is counted in the unit of the Counts it was fitted on.

    Attributes:
        r: Shape of the rates at which customers buy.
        alpha: Inverse scale of the rates, a time.
        a: With b: how likely customers are to drop out, a / (a + b) on average.
        b: See a.
        k: Regularity of the intervals; 1 at random. Above 1 for timing only: it worsens the chance to be active.
        m: 1 when a customer can drop out after the first purchase already (MBG), 0 when not before the second (BG).
    """

    r: float
    alpha: float
    a: float
    b: float
    k: float = 1.0
    m: int = 1

    def alive(self, counts: Counts) -> FloatArray:
        """The chance that a customer has not dropped out; with m = 0 always 1 after a single purchase."""
        value: FloatArray = special.expit(self._log_silence(counts, counts.T - counts.t_x) - self._log_dropped(counts))
        return value

    def active(self, counts: Counts, h: float) -> FloatArray:
        """The chance that a customer buys in the time h after the day of the question."""
        now = self._log_silence(counts, counts.T - counts.t_x)
        later = self._log_silence(counts, counts.T - counts.t_x + h)
        return self.alive(counts) * -np.expm1(later - now)

    def expected(self, counts: Counts, t: float) -> FloatArray:
        """How many purchase days a customer will have in the time t after the day of the question; k = 1 only."""
        return self.alive(counts) * self.expected_if_alive(counts.x, counts.T, t)

    def expected_if_alive(self, x: FloatArray, T: FloatArray, t: float) -> FloatArray:  # noqa: N803
        """The same for customers known not to have dropped out yet: it depends on x and T alone.

        The published (1 - z)^(r + x) · 2F1(r + x, b + x + m; c; z) after Euler's transformation, whose terms stay small
        for any x.
        """
        if self.k != 1:
            raise ValueError("expected purchases are known for k = 1 only")
        drop = _away_from_zero(self.a - 1)
        rest = self.a + self.b + self.m - 1
        c = _away_from_zero(rest + x)
        z = t / (self.alpha + T + t)
        if abs(self.a - self.r - round(self.a - self.r)) < _NUDGE:
            rest += 2 * _NUDGE  # scipy's 2F1 gives inf or NaN for many purchases where a - r is a whole number
        tail = (1 - z) ** drop * special.hyp2f1(drop, rest - self.r, c, z)
        value: FloatArray = c / drop * (1 - tail)
        return value

    def log_likelihood(self, counts: Counts) -> float:
        """Natural logarithm of the likelihood of the purchases of all customers together."""
        x, customers = counts.by_x
        by_x = (
            special.betaln(self.a, self.b + x + self.m)
            - special.betaln(self.a, self.b)
            + special.gammaln(self.r + self.k * x)
            - special.gammaln(self.r)
            + self.r * np.log(self.alpha)
            - x * special.gammaln(self.k)
        )
        silence = self._log_silence(counts, counts.T - counts.t_x)
        by_row = np.logaddexp(silence, self._log_dropped(counts))
        by_row -= (self.r + self.k * counts.x) * np.log(self.alpha + counts.t_x)
        return (self.k - 1) * counts.log_intervals + float((customers * by_x).sum()) + counts.total(by_row)

    def _log_silence(self, counts: Counts, elapsed: FloatArray) -> FloatArray:
        """Logarithm of Surv: that a customer who has not dropped out lets so much time pass after the last purchase."""
        shape = self.r + self.k * counts.x
        start = self.alpha + counts.t_x
        if self.k == 1:
            return np.negative(shape * np.log1p(elapsed / start))
        silent: FloatArray = special.betaincc(self.k, shape, elapsed / (start + elapsed))
        return np.log(np.maximum(silent, np.finfo(float).tiny))  # -inf - -inf would be nobody's chance

    def _log_dropped(self, counts: Counts) -> FloatArray:
        """Logarithm of the odds of having dropped out at the last purchase, before the silence since is looked at."""
        purchases = counts.x + self.m
        chance: FloatArray = np.log(self.b + purchases - 1, where=purchases > 0, out=np.full_like(purchases, np.inf))
        return math.log(self.a) - chance


def _away_from_zero(value: npt.ArrayLike) -> FloatArray:
    """The value, or next to nothing where it is nearer to 0: what divides by it tends to a limit there."""
    values = np.asarray(value, dtype=np.float64)
    return np.where(np.abs(values) < _NUDGE, _NUDGE, values)
