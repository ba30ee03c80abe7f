"""Rhythm: how often a customer buys, how regularly, and when the next purchase is due.

The one input is the day map: how many orders count on each business day. Integers that are added up do not care
in which order they arrive, so a late, cancelled or repeated order changes nothing but its own day.
"""

import math
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Self


@dataclass(frozen=True)
class Rhythm:
    """The purchase days of one customer (or of one customer and product) as seen on a day.

    `x`, `t_x` and `T` are the sufficient statistics of Fader, Hardie and Lee, "Counting your customers the easy way"
    (Marketing Science 24(2), 2005), in days: all orders of one day are one purchase. What is undefined is None.

    Attributes:
        orders: Orders that count, all of those on one day included.
        days: The purchase days, ascending, as days since 1970-01-01.
        as_of: The day of the question, inclusive.
    """

    orders: int
    days: tuple[int, ...]
    as_of: int

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int]], as_of: int) -> Self:
        """Fold (day, orders) rows in any order; rows of one day add up, a day left without orders is no purchase."""
        orders_on: Counter[int] = Counter()
        for day, orders in rows:
            if day <= as_of:
                orders_on[day] += orders
        bought = {day: orders for day, orders in orders_on.items() if orders > 0}
        return cls(orders=sum(bought.values()), days=tuple(sorted(bought)), as_of=as_of)

    @property
    def first(self) -> int | None:
        """The first purchase day."""
        return self.days[0] if self.days else None

    @property
    def last(self) -> int | None:
        """The last purchase day."""
        return self.days[-1] if self.days else None

    @property
    def x(self) -> int:
        """Purchase days after the first; as many as there are intervals."""
        return max(len(self.days) - 1, 0)

    @property
    def t_x(self) -> int | None:
        """Days from the first purchase to the last; the sum of all intervals."""
        return self.days[-1] - self.days[0] if self.days else None

    @property
    def T(self) -> int | None:  # noqa: N802 - the literature's name, and the key of the JSON contract
        """Days from the first purchase to the day of the question."""
        return self.as_of - self.days[0] if self.days else None

    @property
    def intervals(self) -> tuple[int, ...]:
        """Days between one purchase day and the next, oldest first, each at least 1."""
        return tuple(later - earlier for earlier, later in pairwise(self.days))

    @property
    def last_two(self) -> tuple[int, int] | None:
        """The two latest intervals, older first: what the customer adds to the regularity of the base."""
        if self.x <= 1:
            return None
        before, previous, last = self.days[-3:]
        return previous - before, last - previous

    @property
    def mean(self) -> float | None:
        """Mean interval in days: Σi / n."""
        return (self.days[-1] - self.days[0]) / self.x if self.x else None

    @property
    def median(self) -> float | None:
        """Median interval in days; of an even number the mean of the two in the middle."""
        return float(statistics.median(self.intervals)) if self.x else None

    @property
    def sd(self) -> float | None:
        """Sample standard deviation of the intervals in days: √((n·Σi² - (Σi)²) / (n·(n - 1))), sums in integers."""
        n = self.x
        if n <= 1:
            return None
        total = self.days[-1] - self.days[0]
        squares = sum(interval * interval for interval in self.intervals)
        return math.sqrt((n * squares - total * total) / (n * (n - 1)))

    @property
    def next_due(self) -> int | None:
        """The day on which the next purchase is due: the last one plus the median interval, half a day counting up."""
        return None if self.median is None else self.days[-1] + math.floor(self.median + 0.5)
