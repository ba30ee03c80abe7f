"""Accuracy: what a forecast was worth once the truth is known. What is undefined is None."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from services.analytics.fitting import FloatArray

_BINS = 10

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Accuracy:
    """A forecast of amounts against what came: plain data to keep beside a model.

    Attributes:
        n: Forecasts.
        actual: What came, in total.
        predicted: What was forecast, in total.
        total_error: predicted / actual - 1.
        calibration_factor: actual / predicted: what to multiply a forecast by, had the world not changed.
        mae: Mean absolute error.
        rmse: Root of the mean squared error.
        correlation: Pearson's correlation of forecast and truth.
    """

    n: int
    actual: float
    predicted: float
    total_error: float | None
    calibration_factor: float | None
    mae: float | None
    rmse: float | None
    correlation: float | None

    @classmethod
    def of(cls, actual: FloatArray, predicted: FloatArray) -> Self:
        """Compare two aligned columns."""
        n, came, forecast = len(actual), float(actual.sum()), float(predicted.sum())
        errors = predicted - actual
        return cls(
            n=n,
            actual=came,
            predicted=forecast,
            total_error=forecast / came - 1 if came else None,
            calibration_factor=came / forecast if forecast else None,
            mae=float(np.abs(errors).mean()) if n else None,
            rmse=float(np.sqrt((errors**2).mean())) if n else None,
            correlation=_correlation(actual, predicted),
        )


def _correlation(one: FloatArray, other: FloatArray) -> float | None:
    if len(one) <= 1 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def auc(happened: BoolArray, score: FloatArray) -> float | None:
    """The chance that one to whom it happened scored above one to whom it did not; equal scores count half."""
    scores, rank = np.unique(score, return_inverse=True)
    yes = np.bincount(rank[happened], minlength=len(scores)).astype(np.float64)
    no = np.bincount(rank[~happened], minlength=len(scores)).astype(np.float64)
    if not yes.any() or not no.any():
        return None
    below = np.cumsum(no) - no
    return float((yes * (below + no / 2)).sum() / (yes.sum() * no.sum()))


def calibration_error(happened: BoolArray, chance: FloatArray) -> float | None:
    """Expected calibration error: how far chances are from frequencies, on average over ten equally wide bins."""
    if not len(chance):
        return None
    bins = np.minimum((chance * _BINS).astype(np.int64), _BINS - 1)
    gaps = np.bincount(bins, weights=happened - chance, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(chance))


def coverage(actual: FloatArray, low: FloatArray, high: FloatArray) -> float | None:
    """The share of what came that lies between low and high, both included."""
    return float(((low <= actual) & (actual <= high)).mean()) if len(actual) else None
