"""The fit of the buying models: plain maximum likelihood, or guarded where dropout can hardly be told from silence."""

from collections.abc import Sequence

import numpy as np
from scipy import special

from services.analytics.buying import Buying, Counts
from services.analytics.fitting import LOGS, Fit, Flag, FloatArray, Optimum, lowest

FEWEST_CUSTOMERS = 30
FEWEST_RETURNING = 10
"""A base of fewer customers, or of fewer who ever came back, says nothing about dropout: it is declined."""

_DROPOUT = slice(2, 4)
_RARE_DROPOUT = 0.01
_SAME_FOR_ALL = 100.0
"""From this a + b on customers would all drop out equally often: the sign that the data do not tell."""


def fit(
    counts: Counts, *, m: int = 1, k: float | None = 1.0, guard: bool = True, before: Buying | None = None
) -> Fit[Buying]:
    """Estimate a model from customers.

    Args:
        counts: The customers, grouped for speed.
        m: 1 for the MBG family, 0 for the BG family.
        k: Regularity: 1 for the NBD, 2, 3, … for the CNBD-k; None estimates it.
        guard: A Pareto(1) prior on a + b, which then is at least 1. Off for plain maximum likelihood.
        before: An earlier model of the same base and unit to start from; saves most of the time.
    """
    if counts.n < FEWEST_CUSTOMERS or counts.returning < FEWEST_RETURNING:
        return Fit.declined(counts.n)
    plain = _optimum(counts, m, 1.0, _starts(counts, before), guard=False)
    if k != 1:
        plain = _optimum(counts, m, k, [_regular(_off_the_ridge(plain.at), k)], guard=False)
    best = _optimum(counts, m, k, [_off_the_ridge(plain.at)], guard=True) if guard else plain
    model = _model(best.at, m, k)
    spread = float(np.exp(plain.at[3]))
    unidentified = model.a / (model.a + model.b) < _RARE_DROPOUT or spread > _SAME_FOR_ALL
    return Fit.judged(model, counts.n, model.log_likelihood(counts), _flags(best, unidentified, guard))


def _optimum(counts: Counts, m: int, k: float | None, starts: Sequence[FloatArray], *, guard: bool) -> Optimum:
    """Search over ln r, ln alpha, ln(a / b), ln(a + b) and, unless k is given, ln k.

    In a / b and a + b instead of a and b the guard is a plain bound, and a ridge without dropout runs along one axis.
    """
    n = counts.n

    def objective(at: FloatArray) -> tuple[float, FloatArray] | float:
        model = _model(at, m, k)
        penalty = 2 * float(at[3]) if guard else 0.0
        value = (penalty - model.log_likelihood(counts)) / n
        if k != 1:
            return value
        slope = -gradient(model, counts)
        slope[3] += 2.0 * guard
        return value, slope / n

    bounds = [LOGS, LOGS, LOGS, (0.0, LOGS[1]) if guard else LOGS, LOGS][: 5 if k is None else 4]
    return lowest(objective, starts, bounds, gradient=k == 1)


def gradient(model: Buying, counts: Counts) -> FloatArray:
    """The slope of the log-likelihood of a model with k = 1, by ln r, ln alpha, ln(a / b) and ln(a + b)."""
    r, alpha, a, b, m = model.r, model.alpha, model.a, model.b, model.m
    psi = special.digamma
    x, customers = counts.by_x
    dropped = 1 - model.alive(counts)
    start, end, shape = alpha + counts.t_x, alpha + counts.T, r + counts.x
    # A customer of BG after one purchase cannot have dropped out: dropped is 0 where the divisor could be.
    divisor = np.maximum(b + counts.x - 1 + m, np.finfo(float).tiny)
    common = customers * (psi(a + b) - psi(a + b + x + m))
    by_r = (customers * (psi(r + x) - psi(r))).sum() + counts.total(np.log(alpha / end) + dropped * np.log(end / start))
    by_alpha = counts.total(r / alpha - shape / end + dropped * (shape / end - shape / start))
    by_a = common.sum() + counts.total(dropped) / a
    by_b = (common + customers * (psi(b + x + m) - psi(b))).sum() - counts.total(dropped / divisor)
    return np.array([r * by_r, alpha * by_alpha, a * b / (a + b) * (by_a - by_b), a * by_a + b * by_b])


def _model(at: FloatArray, m: int, k: float | None) -> Buying:
    r, alpha, odds, spread = (float(value) for value in np.exp(at[:4]))
    a = spread * odds / (1 + odds)
    return Buying(r, alpha, a, spread / (1 + odds), k=float(np.exp(at[4])) if k is None else k, m=m)


def _starts(counts: Counts, before: Buying | None) -> list[FloatArray]:
    """Where to begin: at an earlier model, or at customers who buy unequally and at others who are much alike."""
    if before is not None:
        return [_off_the_ridge(np.log([before.r, before.alpha, before.a / before.b, before.a + before.b]))]
    rate = counts.total(counts.x) / counts.total(counts.T)
    return [np.log([r, r / rate, odds, spread]) for r, odds, spread in ((0.5, 0.3, 3.0), (2.0, 1.0, 1.5))]


def _off_the_ridge(at: FloatArray) -> FloatArray:
    """The same with some dropout, not the same for all: on the ridge without any, a search goes nowhere."""
    odds, spread = np.maximum(at[2], np.log(0.05)), np.clip(at[3], 0.0, np.log(10.0))
    return np.concatenate([at[:2], [odds, spread], at[4:]])


def _regular(at: FloatArray, k: float | None) -> FloatArray:
    """From the optimum of k = 1 to the same mean interval, made of k steps."""
    guess = 1.5 if k is None else k
    start = at - np.array([0.0, np.log(guess), 0.0, 0.0])
    return np.append(start, np.log(guess)) if k is None else start


def _flags(best: Optimum, unidentified: bool, guard: bool) -> list[Flag]:
    """What is against the optimum: a bound counts for dropout only where dropout is identified."""
    bounded = list(best.bounded)
    if unidentified:
        bounded[_DROPOUT] = [False, False]
    elif guard and best.at[3] < 1:
        bounded[3] = False
    flags = [flag for flag in best.flags if flag is not Flag.AT_A_BOUND]
    return [
        *flags,
        *([Flag.AT_A_BOUND] if any(bounded) else []),
        *([Flag.DROPOUT_NOT_IDENTIFIED] if unidentified else []),
    ]
