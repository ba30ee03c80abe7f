"""What-if: the same customers at the same moment, ranked by the rules that count and by others; nothing is recorded.

Scores and segments follow from day maps at read, so other rules are a second computation over one snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from services.analytics.histories import Histories
from services.analytics.loyalty import IntArray, Purchases, Ranking, names_of
from services.analytics.rules import TODAY, Rules


@dataclass(frozen=True, eq=False)
class Side:
    """A base by one set of rules. Columns are aligned with the customers who bought.

    Attributes:
        ranking: The scales that the rules draw.
        scores: r, f and m of each.
        segments: The segment of each, as an index into `names`.
    """

    ranking: Ranking
    scores: tuple[IntArray, IntArray, IntArray]
    segments: IntArray

    @classmethod
    def of(cls, base: Purchases, as_of: int, rules: Rules) -> Self:
        """Rank a base by rules."""
        ranking = Ranking.of(base, as_of, rules)
        return cls(ranking, ranking.scores(base), ranking.segments(base))

    @property
    def names(self) -> tuple[str, ...]:
        """The segments: ours on every side, in the same order, and after them those that only its rules know."""
        return names_of(self.ranking.rules)

    @property
    def customers(self) -> Mapping[str, int]:
        """Customers in each segment, also where there are none."""
        counts = np.bincount(self.segments, minlength=len(self.names))
        return dict(zip(self.names, counts.tolist(), strict=True))

    def total(self, values: IntArray) -> Mapping[str, int]:
        """The sum of a column in each segment."""
        return {name: int(values[self.segments == code].sum()) for code, name in enumerate(self.names)}

    def grade(self, place: int) -> tuple[str, tuple[int, int, int]]:
        """Segment and scores of one customer, by its place in the columns."""
        r, f, m = (int(column[place]) for column in self.scores)
        return self.names[self.segments[place]], (r, f, m)


@dataclass(frozen=True, eq=False)
class WhatIf:
    """A base by the rules that count and by others.

    Attributes:
        customers: Who bought, as subjects.
        gross: Minor units of their valid orders.
        before: By the rules that count.
        after: By the others.
    """

    customers: list[str]
    gross: IntArray
    before: Side
    after: Side

    @property
    def n(self) -> int:
        """Customers in the base."""
        return len(self.customers)

    @property
    def changed(self) -> npt.NDArray[np.bool_]:
        """Who would stand in another segment."""
        moved: npt.NDArray[np.bool_] = self.before.segments != self.after.segments
        return moved

    @property
    def rescored(self) -> int:
        """Customers with another score, whether it moves them or not."""
        pairs = zip(self.before.scores, self.after.scores, strict=True)
        return int(np.any([before != after for before, after in pairs], axis=0).sum())

    @property
    def moves(self) -> Mapping[str, Mapping[str, int]]:
        """Customers from each segment to each, those who stay included, also where there are none."""
        rows, columns = self.before.names, self.after.names
        cells = np.bincount(
            self.before.segments * len(columns) + self.after.segments, minlength=len(rows) * len(columns)
        )
        counts = cells.reshape(len(rows), len(columns)).tolist()
        return {name: dict(zip(columns, row, strict=True)) for name, row in zip(rows, counts, strict=True)}

    def movers(self, before: str | None = None, after: str | None = None) -> list[int]:
        """The places of those who would move, of one flow if named, the largest amount first."""
        chosen = self.changed
        for side, name in ((self.before, before), (self.after, after)):
            if name is not None:
                chosen &= side.segments == side.names.index(name)
        places = np.flatnonzero(chosen)
        ordered: list[int] = places[np.argsort(-self.gross[places], kind="stable")].tolist()
        return ordered


def what_if(some: Histories, as_of: int, rules: Rules) -> WhatIf:
    """Rank the customers who bought up to a day by the rules that count and by others."""
    bought = some.bought
    base = Purchases(bought.last, bought.days, bought.gross)
    customers = [some.customers[who] for who in bought.who.tolist()]
    return WhatIf(customers, bought.gross, Side.of(base, as_of, TODAY), Side.of(base, as_of, rules))
