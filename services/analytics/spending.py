"""Spending: what a customer spends on a purchase day (gamma-gamma).

Fader, Hardie and Lee, "RFM and CLV" (Journal of Marketing Research 42(4), 2005). Spend varies around a mean of the
customer's own, and these means vary over the base; how much is spent is taken not to depend on how often.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import special

from services.analytics.fitting import LOGS, Fit, Flag, FloatArray, lowest

FEWEST_SPENDERS = 30
"""With fewer customers who came back and spent something, how much customers differ is anybody's guess."""


@dataclass(frozen=True, eq=False)
class Baskets:
    """Mean spend on the purchase days after the first: aligned columns, one row per customer.

    Attributes:
        x: Purchase days after the first.
        mean: Mean spend of those days, in any one unit of money; no matter while x is 0.
    """

    x: FloatArray
    mean: FloatArray

    @classmethod
    def of(cls, x: npt.ArrayLike, spend: npt.ArrayLike) -> Self:
        """From the days after the first and the sum spent on them."""
        days, total = np.asarray(x, dtype=np.float64), np.asarray(spend, dtype=np.float64)
        return cls(days, np.divide(total, days, out=np.zeros_like(total), where=days > 0))

    @property
    def told(self) -> npt.NDArray[np.bool_]:
        """Which rows tell something: came back, and what was spent is not all refunded."""
        return (self.x > 0) & (self.mean > 0)

    def spenders(self) -> "Baskets":
        """Only the rows that tell something: what a model is fitted on."""
        return Baskets(self.x[self.told], self.mean[self.told])

    @cached_property
    def by_x(self) -> tuple[FloatArray, FloatArray]:
        """The distinct x and the customers with each."""
        distinct, sizes = np.unique(self.x, return_counts=True)
        return distinct, sizes.astype(np.float64)


@dataclass(frozen=True)
class Spending:
    """A fitted model; v is in the unit of money of the Baskets it was fitted on.

    Attributes:
        p: How even a customer's own spend is from day to day.
        q: How alike the customers are.
        v: Scale of the spend.
    """

    p: float
    q: float
    v: float

    @property
    def mean(self) -> float | None:
        """What is expected of a customer without a purchase day to tell by; None where the mean is not finite."""
        return self.p * self.v / (self.q - 1) if self.q > 1 else None

    def expected(self, baskets: Baskets) -> FloatArray:
        """Mean spend to expect on each customer's next purchase days; that of the base where nothing tells."""
        told = baskets.told
        x, mean = np.where(told, baskets.x, 0.0), np.where(told, baskets.mean, 0.0)
        return self.p * (self.v + x * mean) / (self.p * x + self.q - 1)

    def log_likelihood(self, baskets: Baskets) -> float:
        """Natural logarithm of the likelihood of the means of all spenders together."""
        p, q, v = self.p, self.q, self.v
        x, sizes = baskets.by_x
        by_x = (
            special.gammaln(p * x + q) - special.gammaln(p * x) - special.gammaln(q) + q * np.log(v) + p * x * np.log(x)
        )
        by_row = (p * baskets.x - 1) * np.log(baskets.mean)
        by_row -= (p * baskets.x + q) * np.log(v + baskets.x * baskets.mean)
        return float((sizes * by_x).sum() + by_row.sum())


def fit(baskets: Baskets) -> Fit[Spending]:
    """Estimate a model by maximum likelihood; without a finite mean over customers (q up to 1) it is rejected."""
    spenders = baskets.spenders()
    n = len(spenders.x)
    if n < FEWEST_SPENDERS:
        return Fit.declined(n)

    def objective(at: FloatArray) -> tuple[float, FloatArray]:
        model = Spending(*np.exp(at).tolist())
        return -model.log_likelihood(spenders) / n, -gradient(model, spenders) / n

    typical = float(np.median(spenders.mean))
    starts = [np.log([p, q, typical * (q - 1) / p]) for p, q in ((1.0, 2.0), (6.0, 4.0))]
    unit = float(np.log(typical))
    bounds = [LOGS, LOGS, (LOGS[0] + unit, LOGS[1] + unit)]  # cents and euros have one and the same fit
    best = lowest(objective, starts, bounds)
    model = Spending(*np.exp(best.at).tolist())
    flags = best.flags if model.mean is not None else [*best.flags, Flag.NO_MEAN]
    return Fit.judged(model, n, model.log_likelihood(spenders), flags)


def gradient(model: Spending, baskets: Baskets) -> FloatArray:
    """The slope of the log-likelihood of spenders by ln p, ln q and ln v."""
    p, q, v = model.p, model.q, model.v
    psi = special.digamma
    x, sizes = baskets.by_x
    sums = v + baskets.x * baskets.mean
    share = np.log(baskets.x * baskets.mean / sums)
    by_p = (sizes * x * (psi(p * x + q) - psi(p * x))).sum() + (baskets.x * share).sum()
    by_q = (sizes * (psi(p * x + q) - psi(q))).sum() + np.log(v / sums).sum()
    by_v = (q / v - (p * baskets.x + q) / sums).sum()
    return np.array([p * by_p, q * by_q, v * by_v])
