"""Survival: how many customers have not come back yet, by days since their first purchase (Kaplan and Meier, 1958)."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple, Self


class Step(NamedTuple):
    """A day on which somebody came back.

    Attributes:
        day: Days since the first purchase.
        waiting: Customers who had not come back before, and were observed so long.
        returned: Those of them who came back on that day.
    """

    day: int
    waiting: int
    returned: int


@dataclass(frozen=True)
class Survival:
    """The curve of the first repeat purchase; it says nothing beyond the longest observation."""

    steps: tuple[Step, ...]
    longest: int | None

    @classmethod
    def of(cls, rows: Iterable[tuple[int, bool, int]]) -> Self:
        """Fold rows in any order; rows that are alike add up.

        Args:
            rows: Rows (days, returned, customers): from the first purchase to the second, or else to the day of the
                question, on which a customer who has not come back leaves the count.
        """
        returned: Counter[int] = Counter()
        left: Counter[int] = Counter()
        for days, came_back, customers in rows:
            left[days] += customers
            returned[days] += customers if came_back else 0
        days_seen = sorted(day for day in left if left[day])
        gone = accumulate((left[day] for day in days_seen), initial=0)
        n = sum(left.values())
        steps = (Step(day, n - before, returned[day]) for day, before in zip(days_seen, gone, strict=False))
        return cls(tuple(step for step in steps if step.returned), days_seen[-1] if days_seen else None)

    @property
    def waiting(self) -> tuple[float, ...]:
        """The share that has not come back yet after each step: S(t) = Π(1 - d / n)."""
        return tuple(accumulate((1 - step.returned / step.waiting for step in self.steps), lambda one, two: one * two))

    def at(self, days: int) -> float | None:
        """The share that has not come back within so many days; None beyond the longest observation."""
        if self.longest is None or days > self.longest:
            return None
        reached = bisect_right([step.day for step in self.steps], days)
        return self.waiting[reached - 1] if reached else 1.0

    @property
    def median(self) -> int | None:
        """Days until half have come back; None where fewer did."""
        half = (step.day for step, share in zip(self.steps, self.waiting, strict=True) if share <= 1 / 2)
        return next(half, None)
