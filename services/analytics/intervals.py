"""Purchase intervals of a whole base: the distribution that every single rhythm is read against.

The state is a count per interval length in whole days. Such counts add, subtract and merge exactly, so every figure
here is exact as well and the same for any partitioning of the base.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple, Self

WEEK = 7
WEEKS_SHOWN = 26
"""Weekly bars up to half a year; what is longer shares the last bar."""


class Bucket(NamedTuple):
    """One bar of the histogram: how many intervals last `low` to `high` days, both included."""

    low: int
    high: int
    intervals: int


@dataclass(frozen=True)
class Intervals:
    """How many intervals between purchase days have each length.

    Attributes:
        counts: Intervals per length in days, ascending by length, none of them 0.
    """

    counts: Mapping[int, int]

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int]]) -> Self:
        """Fold (length in days, count) rows in any order; rows of one length add up."""
        counts: Counter[int] = Counter()
        for length, count in rows:
            counts[length] += count
        return cls({length: counts[length] for length in sorted(counts) if counts[length]})

    @property
    def n(self) -> int:
        """Intervals in all."""
        return sum(self.counts.values())

    @property
    def mean(self) -> float | None:
        """Mean length in days; None without intervals."""
        n = self.n
        return sum(length * count for length, count in self.counts.items()) / n if n else None

    @property
    def median(self) -> float | None:
        """Median length in days, of an even number the mean of the two in the middle; None without intervals."""
        n = self.n
        return (self._at((n - 1) // 2) + self._at(n // 2)) / 2 if n else None

    @property
    def p90(self) -> int | None:
        """The length in days that nine of ten intervals do not exceed; None without intervals."""
        return self.percentile(90)

    def percentile(self, percent: int) -> int | None:
        """The shortest length in days that at least `percent` (1 to 100) of all intervals do not exceed."""
        n = self.n
        return self._at((n * percent + 99) // 100 - 1) if n else None

    def histogram(self) -> list[Bucket]:
        """Weeks without a gap from the first day to the longest interval; beyond half a year one bar for the rest."""
        if not self.counts:
            return []
        longest = max(self.counts)
        shown = min(math.ceil(longest / WEEK), WEEKS_SHOWN)
        bars = [0] * (shown + 1)
        for length, count in self.counts.items():
            bars[min((length - 1) // WEEK, shown)] += count
        buckets = [Bucket(week * WEEK + 1, (week + 1) * WEEK, bars[week]) for week in range(shown)]
        if bars[shown]:
            buckets.append(Bucket(shown * WEEK + 1, longest, bars[shown]))
        return buckets

    def _at(self, rank: int) -> int:
        """The length at a rank, from 0 for the shortest."""
        reached = zip(self.counts, accumulate(self.counts.values()), strict=True)
        return next(length for length, seen in reached if seen > rank)


def wheat_morrison_k(pairs: Iterable[tuple[int, int, int]]) -> float | None:
    """Regularity of a base: about 1 when purchases come at random, above 1 when they come regularly.

    Wheat and Morrison, "Estimating purchase regularity with two interpurchase times" (Journal of Marketing Research
    27(1), 1990): M = i₁ / (i₁ + i₂), k = (1 - 4V) / (8V), V the sample variance of M over all customers.

    Args:
        pairs: Rows (i₁, i₂, customers), in any order: the last two intervals in days, older first, of the customers
            that have at least two.

    Returns:
        k, or None with fewer than two customers or when M is the same for all.
    """
    customers: Counter[float] = Counter()
    for earlier, later, count in pairs:
        customers[earlier / (earlier + later)] += count
    shares = sorted(share for share in customers if customers[share])
    if len(shares) <= 1:
        return None
    n = sum(customers.values())
    mean = math.fsum(share * customers[share] for share in shares) / n
    variance = math.fsum((share - mean) ** 2 * customers[share] for share in shares) / (n - 1)
    return (1 - 4 * variance) / (8 * variance)
