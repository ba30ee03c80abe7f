"""The behavioural loyalty index: one figure from 0 to 100 that takes itself apart.

100 · (0.4 · recency + 0.4 · frequency + 0.2 · spend), each the share of the base that a customer is ahead of:
(mid-rank - 0.5) / N, equal values sharing their middle. The parts add up to the index, so each is its own reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from services.analytics.fitting import FloatArray
from services.analytics.histories import Bought

WEIGHTS: Final = {"recency": 40.0, "frequency": 40.0, "spend": 20.0}


@dataclass(frozen=True)
class LoyaltyIndex:
    """The points of each customer, aligned with the columns of who bought."""

    recency: FloatArray
    frequency: FloatArray
    spend: FloatArray

    @classmethod
    def of(cls, bought: Bought) -> LoyaltyIndex:
        """Compare all customers of a base."""
        return cls(
            recency=WEIGHTS["recency"] * ahead_of(bought.last),
            frequency=WEIGHTS["frequency"] * ahead_of(bought.days),
            spend=WEIGHTS["spend"] * ahead_of(bought.gross),
        )

    @property
    def total(self) -> FloatArray:
        """The index itself."""
        return self.recency + self.frequency + self.spend


def ahead_of(values: npt.NDArray[np.int64]) -> FloatArray:
    """The share of the base that each value is ahead of, from 0 to 1; half of those with the same value count."""
    if not len(values):
        return np.zeros(0)
    _, place, sizes = np.unique(values, return_inverse=True, return_counts=True)
    below = np.cumsum(sizes) - sizes
    shares: FloatArray = ((below + sizes / 2) / len(values))[place]
    return shares
