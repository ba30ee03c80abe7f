"""Fitting: how a model's parameters are looked for, and what came of it.

A fit is never silent. It is fitted, rejected or declined, and its flags say why; each part of it is plain data that an
event can carry.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import optimize

FloatArray = npt.NDArray[np.float64]
Model = TypeVar("Model")
Bounds = Sequence[tuple[float, float]]

LOGS = (-9.0, 12.0)
"""Between which natural logarithms a parameter is looked for; one that ends there has no estimate."""
_STEPS = 1000
_FLAT = 1e-5
"""The slope per customer below which an optimum counts as found, although the search ran out of digits."""
_WORST_TOTAL_ERROR = 0.4


class Verdict(StrEnum):
    """What came of a fit: a model to use, a model not to use, or none because the data cannot carry one."""

    FITTED = "fitted"
    REJECTED = "rejected"
    DECLINED = "declined"


class Flag(StrEnum):
    """What speaks against a model, or has to be said beside it."""

    NOT_ENOUGH_DATA = "not enough data"
    NOT_CONVERGED = "not converged"
    AT_A_BOUND = "at a bound"
    NO_MEAN = "no finite mean"
    BACKTEST_FAILED = "backtest failed"
    DROPOUT_NOT_IDENTIFIED = "dropout not identified"


_REJECTING = frozenset({Flag.NOT_CONVERGED, Flag.AT_A_BOUND, Flag.NO_MEAN, Flag.BACKTEST_FAILED})


@dataclass(frozen=True)
class Fit(Generic[Model]):
    """What came of fitting a model.

    Attributes:
        verdict: Whether the model may be used.
        model: The parameters found, those of a rejected model as well; None when declined.
        n: Customers (or customers and products) that the model was fitted on.
        log_likelihood: Of the data under the model, without any penalty; None when declined.
        flags: Why it was rejected or declined, or what has to be said beside a fitted model.
    """

    verdict: Verdict
    model: Model | None
    n: int
    log_likelihood: float | None
    flags: tuple[Flag, ...] = ()

    @property
    def usable(self) -> Model | None:
        """The model, if it may be used."""
        return self.model if self.verdict is Verdict.FITTED else None

    @classmethod
    def declined(cls, n: int) -> Self:
        """Decline to fit on so little data."""
        return cls(Verdict.DECLINED, None, n, None, (Flag.NOT_ENOUGH_DATA,))

    @classmethod
    def judged(cls, model: Model, n: int, log_likelihood: float, flags: Iterable[Flag] = ()) -> Self:
        """Fit or reject: any flag but "dropout not identified" rejects."""
        found = tuple(sorted(set(flags)))
        verdict = Verdict.REJECTED if _REJECTING.intersection(found) else Verdict.FITTED
        return cls(verdict, model, n, log_likelihood, found)

    def backtested(self, total_error: float | None) -> "Fit[Model]":
        """The same fit, rejected when the same kind of model missed a known past by more than 40 % in total."""
        if self.model is None or self.log_likelihood is None or total_error is None:
            return self
        failed = {Flag.BACKTEST_FAILED} if abs(total_error) > _WORST_TOTAL_ERROR else set()
        return Fit.judged(self.model, self.n, self.log_likelihood, {*self.flags, *failed})


@dataclass(frozen=True)
class Optimum:
    """The lowest point found.

    Attributes:
        at: Natural logarithms of the parameters.
        value: The objective there.
        converged: Whether the search came to rest.
        bounded: For each parameter, whether it rests on one of its bounds.
    """

    at: FloatArray
    value: float
    converged: bool
    bounded: tuple[bool, ...]

    @property
    def flags(self) -> list[Flag]:
        """What this optimum alone says against a model."""
        unsettled = [] if self.converged else [Flag.NOT_CONVERGED]
        return [*unsettled, Flag.AT_A_BOUND] if any(self.bounded) else unsettled


def lowest(
    objective: Callable[[FloatArray], tuple[float, FloatArray] | float],
    starts: Iterable[Sequence[float] | FloatArray],
    bounds: Bounds,
    *,
    gradient: bool = True,
) -> Optimum:
    """Find the lowest of the minima reached from each start by L-BFGS-B.

    Args:
        objective: A value per customer and, unless `gradient` is off, its gradient; by logarithms of the parameters.
        starts: Logarithms to start from, taken to the bounds where they lie beyond.
        bounds: Lowest and highest logarithm of each parameter.
        gradient: Off for an objective without one; it is then estimated by differences.
    """
    low, high = np.array(bounds).T
    jacobian = True if gradient else "2-point"
    options = {"maxiter": _STEPS, "maxfun": 20 * _STEPS, "ftol": 1e-14 if gradient else 1e-11, "gtol": 1e-8}
    found = [
        optimize.minimize(
            objective, np.clip(start, low, high), jac=jacobian, method="L-BFGS-B", bounds=bounds, options=options
        )
        for start in starts
    ]
    best = min(found, key=lambda result: float(result.fun))
    at: FloatArray = best.x
    bounded = (at <= low + _FLAT) | (at >= high - _FLAT)
    steepest = float(np.max(np.abs(np.where(bounded, 0.0, best.jac))))
    return Optimum(at, float(best.fun), bool(best.success) or steepest < _FLAT, tuple(bounded.tolist()))
