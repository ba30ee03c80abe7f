"""Regularity: how evenly one customer's purchases follow each other, leaning on the base while they are few."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

FEWEST_INTERVALS = 5
_WEIGHT_OF_BASE = 10
_HIGHEST = 100.0


class Evenness(StrEnum):
    """What a regularity is called."""

    BURSTY = "bursty"
    IRREGULAR = "irregular"
    FAIRLY_REGULAR = "fairly regular"
    REGULAR = "regular"


_BELOW = {0.8: Evenness.BURSTY, 1.5: Evenness.IRREGULAR, 2.5: Evenness.FAIRLY_REGULAR}


@dataclass(frozen=True)
class Regularity:
    """A customer's regularity, drawn towards that of the base as if by ten intervals of it.

    Attributes:
        k: The figure to show; about 1 at random.
        own: What the customer's intervals say alone, 100 at most: all equal intervals have no end.
    """

    k: float
    own: float

    @property
    def evenness(self) -> Evenness:
        """Its name."""
        return next((name for bound, name in _BELOW.items() if self.k < bound), Evenness.REGULAR)


def regularity(intervals: Sequence[int], base: float) -> Regularity | None:
    """The regularity of intervals in days, given k of the base; None (not enough data) below five intervals.

    The gamma shape after Minka's approximation: s = ln mean - mean of ln, k = (3 - s + √((s - 3)² + 24s)) / (12s).
    """
    n = len(intervals)
    if n < FEWEST_INTERVALS:
        return None
    s = math.log(sum(intervals) / n) - math.fsum(map(math.log, intervals)) / n
    s = max(s, 1 / (4 * _HIGHEST))  # of equal intervals it is a rounding error around 0; k is about 1 / (2s)
    own = min((3 - s + math.sqrt((s - 3) ** 2 + 24 * s)) / (12 * s), _HIGHEST)
    return Regularity(k=(n * own + _WEIGHT_OF_BASE * base) / (n + _WEIGHT_OF_BASE), own=own)
