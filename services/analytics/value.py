"""Value: what customers will bring, how few of them carry it, and who is about to lapse."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
import numpy.typing as npt

from services.analytics.buying import WEEK, Buying, Counts
from services.analytics.fitting import FloatArray
from services.analytics.spending import Baskets, Spending

_WEEKS_A_YEAR = 52
_TOP = 5
_SHORTEST_HORIZON = 90


class Basis(StrEnum):
    """What a value counts: what is left of revenue, or revenue itself where nobody has set a margin."""

    MARGIN = "margin"
    REVENUE = "revenue"


@dataclass(frozen=True)
class Terms:
    """How the future is counted.

    Attributes:
        weeks: How far it reaches.
        discount: By how much a year less the money of a later week is worth.
        margin: Share of revenue that is left; None when nobody has set it, and the value then is revenue.
    """

    weeks: int = _WEEKS_A_YEAR
    discount: float = 0.10
    margin: float | None = None

    @property
    def basis(self) -> Basis:
        """What a value under these terms counts."""
        return Basis.REVENUE if self.margin is None else Basis.MARGIN


def lifetime_value(
    buying: Buying, spending: Spending, counts: Counts, baskets: Baskets, terms: Terms, unit: float = WEEK
) -> FloatArray:
    """What each customer will bring under the terms, in the unit of money of the baskets.

    CLV = Σ over weeks j of (E[Y(j)] - E[Y(j - 1)]) · E[M] · margin · (1 + discount)^(-j / 52); k = 1 only.

    Args:
        buying: The chance to be alive and the purchases to come.
        spending: The spend on each.
        counts: One row per customer.
        baskets: The same customers.
        terms: How the future is counted.
        unit: Days in the unit of time of the counts.
    """
    margin = 1.0 if terms.margin is None else terms.margin
    return discounted_purchases(buying, counts, terms, unit) * spending.expected(baskets) * margin


def discounted_purchases(buying: Buying, counts: Counts, terms: Terms, unit: float = WEEK) -> FloatArray:
    """How many purchase days to expect within the terms, each discounted by the week it falls in."""
    # What is expected of the living depends on x and T alone: some ten thousand pairs among a million customers.
    ages, age = np.unique(counts.T, return_inverse=True)
    pairs, pair = np.unique(counts.x.astype(np.int64) * len(ages) + age, return_inverse=True)
    x, T = (pairs // max(len(ages), 1)).astype(np.float64), ages[pairs % max(len(ages), 1)]  # noqa: N806
    worth, before = np.zeros(len(pairs)), np.zeros(len(pairs))
    for week in range(1, terms.weeks + 1):
        until = buying.expected_if_alive(x, T, week * WEEK / unit)
        worth += (until - before) * (1 + terms.discount) ** (-week / _WEEKS_A_YEAR)
        before = until
    return buying.alive(counts) * worth[pair]


@dataclass(frozen=True)
class Concentration:
    """How unequally the value of a base is spread; shares are None where there is nothing to share.

    Attributes:
        n: Customers.
        total: Their value together.
        top_share: The share of the best fifth: the first ⌊n / 5⌋; None below five customers.
        gini: 0 when all are worth the same, towards 1 when one carries all.
    """

    n: int
    total: float
    top_share: float | None
    gini: float | None

    @classmethod
    def of(cls, values: npt.ArrayLike) -> Self:
        """Measure a base by the values of its customers, in any order."""
        ordered = np.sort(np.asarray(values, dtype=np.float64))
        n, total = len(ordered), float(ordered.sum())
        if total <= 0:
            return cls(n, total, None, None)
        weights = 2 * np.arange(1, n + 1, dtype=np.float64) - n - 1
        top = float(ordered[n - n // _TOP :].sum()) / total if n >= _TOP else None
        return cls(n, total, top, float((weights * ordered).sum()) / (n * total))


class Lapse(StrEnum):
    """How likely a customer is to stay away through the horizon."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


LAPSES = tuple(Lapse)


def lapse_horizon(median: float | None) -> int:
    """Days to look ahead: three times the median interval of the base in days, but a season at least."""
    return max(_SHORTEST_HORIZON, math.floor(3 * (median or 0) + 0.5))


def lapse_bands(active: FloatArray, high: float = 0.7, medium: float = 0.4) -> npt.NDArray[np.int64]:
    """The bands of customers by their chance to be active within the horizon, as indices into LAPSES.

    Args:
        active: The chance of each, from a model with k = 1.
        high: The risk (1 - chance) from which a customer's band is high.
        medium: The risk from which it is medium.
    """
    risk = 1 - active
    return np.where(risk >= high, LAPSES.index(Lapse.HIGH), np.where(risk >= medium, 1, LAPSES.index(Lapse.LOW)))
