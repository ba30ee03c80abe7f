"""Cohorts: of the customers who first bought in a month, how many bought again in each month after it."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Cohort:
    """The customers whose first purchase fell into one month.

    Attributes:
        month: That month, as months since 1970-01.
        size: Customers.
        active: Customers who bought so many months later: 0 for the first month itself; None for a month that the
            history does not reach, which is not the same as nobody.
    """

    month: int
    size: int
    active: tuple[int | None, ...]

    @property
    def retention(self) -> tuple[float | None, ...]:
        """The share of the cohort that bought, by months since the first."""
        return tuple(None if count is None else count / self.size for count in self.active)


@dataclass(frozen=True)
class Cohorts:
    """All cohorts, oldest first, each as wide as the oldest."""

    rows: tuple[Cohort, ...]

    @classmethod
    def of(cls, counts: Iterable[tuple[int, int, int]], last: int) -> Self:
        """Fold rows in any order; rows of one month and cohort add up.

        Args:
            counts: Rows (month of the first purchase, month, customers of that cohort who bought in that month).
            last: The last month that the history reaches; rows beyond it are left out.
        """
        active: defaultdict[int, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
        for first, month, customers in counts:
            if first <= month <= last:
                active[first][month - first] += customers
        found = {first: ages for first, ages in active.items() if ages[0]}
        width = last - min(found) + 1 if found else 0
        rows = (
            Cohort(first, ages[0], tuple(ages[age] if first + age <= last else None for age in range(width)))
            for first, ages in sorted(found.items())
        )
        return cls(tuple(rows))

    @property
    def retention(self) -> tuple[float | None, ...]:
        """The share of all customers that bought, by months since their first, over the cohorts observed so long."""
        shares = []
        for age in range(len(self.rows[0].active) if self.rows else 0):
            observed = [(cohort.size, count) for cohort in self.rows if (count := cohort.active[age]) is not None]
            shares.append(sum(count for _, count in observed) / sum(size for size, _ in observed))
        return tuple(shares)
