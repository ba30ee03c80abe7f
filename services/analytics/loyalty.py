"""Loyalty: recency, frequency and money scored against the whole base, and the segment that follows from them.

Scores are never stored. They follow at read from three integers per customer (last purchase day, purchase days,
gross amount), so they are the same whatever the order of the events was.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise, product
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from services.analytics.rules import BEST, FIFTHS, SCORES, TODAY, CutOffs, Rules

IntArray = npt.NDArray[np.int64]
Letter = Literal["r", "f", "m"]


class Segment(StrEnum):
    """Where a customer stands, by recency against frequency and money; the rules exclude each other."""

    CHAMPION = "champion"
    LOYAL = "loyal"
    AT_RISK = "at_risk"
    NEW = "new"
    REGULAR = "regular"
    DORMANT = "dormant"


SEGMENTS = tuple(Segment)


@lru_cache(maxsize=16)
def names_of(rules: Rules) -> tuple[str, ...]:
    """The segments that rules know: ours, and after them the new ones."""
    return tuple(dict.fromkeys((*SEGMENTS, *(rule.segment for rule in rules.segments))))


@lru_cache(maxsize=16)
def _codes(rules: Rules) -> IntArray:
    """The segments of rules as a table by scores and purchase days, to look a million customers up at once."""
    names = names_of(rules)
    cells = (names.index(rules.segment(*scores)) for scores in product(SCORES, SCORES, SCORES, (1, 2)))
    return np.fromiter(cells, np.int64).reshape(BEST, BEST, BEST, 2)


@dataclass(frozen=True)
class Scale:
    """What each score takes, in one base of customers: more is better.

    The rule that counts is ours, because quintiles by rank break ties by chance:
    score(v) = 1 + ⌊5 · #{customers with a strictly worse value} / N⌋,
    so customers with equal values share the lower score, and a score can stay without customers.

    Attributes:
        cuts: The smallest value with each score from 1 to 5; None for a score that nobody has.
        counts: Customers with each score from 1 to 5.
    """

    cuts: tuple[int | None, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, values: IntArray, cut_offs: CutOffs = FIFTHS, sign: int = 1) -> Self:
        """Draw the scale of a base from the values of all its customers, in any order; -1 if cuts say less is more."""
        distinct, sizes = np.unique(values, return_counts=True)
        worse = np.cumsum(sizes) - sizes
        if cut_offs.cuts is None:
            scores = 1 + np.searchsorted(np.array(cut_offs.shares) * len(values), 100 * worse, side="right")
        else:
            scores = 1 + np.searchsorted(sign * np.array(cut_offs.cuts), distinct, side="right")
        spans = list(pairwise(np.searchsorted(scores, [*SCORES, BEST + 1])))
        return cls(
            cuts=tuple(int(distinct[start]) if start < end else None for start, end in spans),
            counts=tuple(int(sizes[start:end].sum()) for start, end in spans),
        )

    @property
    def steps(self) -> list[tuple[int, int]]:
        """(score, cut) of the scores that somebody has, ascending."""
        return [(score, cut) for score, cut in zip(SCORES, self.cuts, strict=True) if cut is not None]

    def scores(self, values: IntArray) -> IntArray:
        """Score values of customers of this base."""
        names, edges = np.array(self.steps, dtype=np.int64).reshape(-1, 2).T
        index = np.searchsorted(edges, values, side="right") - 1
        return names[np.maximum(index, 0)]


@dataclass(frozen=True)
class Reason:
    """Why a customer has a score and what the next one takes, as numbers for a page to put into words.

    `value`, `needs` and `next_needs` are days since the last purchase for r (at most), purchase days for f (at least)
    and gross minor units for m (at least).

    Attributes:
        letter: The score meant.
        score: 1 to 5.
        value: What the customer has.
        needs: What this score takes.
        next_score: The next better score that somebody has; None at the top.
        next_needs: What that one takes.
    """

    letter: Letter
    score: int
    value: int
    needs: int
    next_score: int | None
    next_needs: int | None


@dataclass(frozen=True)
class Standing:
    """One customer's scores, segment and the reasons for them, in the order r, f, m."""

    r: int
    f: int
    m: int
    segment: Segment
    reasons: tuple[Reason, Reason, Reason]


@dataclass(frozen=True)
class Purchases:
    """The purchases of a base up to a day, that day included: aligned columns, one entry per customer with an order.

    Attributes:
        last: Last purchase day, days since 1970-01-01.
        days: Distinct purchase days, at least 1.
        gross: Minor units of valid orders, refunds not taken off, in one currency.
    """

    last: IntArray
    days: IntArray
    gross: IntArray


@dataclass(frozen=True)
class Ranking:
    """The three scales of a base on a day. Small, so it can be kept and used to place any customer of that base."""

    as_of: int
    r: Scale
    f: Scale
    m: Scale
    rules: Rules = TODAY

    @classmethod
    def of(cls, base: Purchases, as_of: int, rules: Rules = TODAY) -> Self:
        """Rank a base; a purchase after `as_of` must not be in it."""
        recency = Scale.of(base.last - as_of, rules.r, sign=-1)
        return cls(as_of, recency, Scale.of(base.days, rules.f), Scale.of(base.gross, rules.m), rules)

    @property
    def n(self) -> int:
        """Customers in the base."""
        return sum(self.f.counts)

    @property
    def cuts(self) -> dict[Letter, list[int | None]]:
        """What scores 1 to 5 take: at most so many days since the last purchase, at least so many days, so much."""
        recency = [None if cut is None else -cut for cut in self.r.cuts]
        return {"r": recency, "f": list(self.f.cuts), "m": list(self.m.cuts)}

    def scores(self, base: Purchases) -> tuple[IntArray, IntArray, IntArray]:
        """Score customers of the base: r, f and m, aligned with the columns."""
        return self.r.scores(base.last - self.as_of), self.f.scores(base.days), self.m.scores(base.gross)

    def segments(self, base: Purchases) -> IntArray:
        """Segments of customers of the base, as indices into the names of the rules, aligned with the columns."""
        r, f, m = self.scores(base)
        codes: IntArray = _codes(self.rules)[r - 1, f - 1, m - 1, np.minimum(base.days, 2) - 1]
        return codes

    def segment_counts(self, base: Purchases) -> Mapping[Segment, int]:
        """Customers in each segment, also where there are none."""
        counts = np.bincount(self.segments(base), minlength=len(SEGMENTS))
        return {name: int(count) for name, count in zip(SEGMENTS, counts, strict=True)}

    def place(self, last: int, purchase_days: int, gross: int) -> Standing:
        """Place one customer of the base: last purchase day, distinct purchase days, gross minor units.

        The rules must know no segment but ours.
        """
        recency = _reason("r", self.r, last - self.as_of, sign=-1)
        frequency = _reason("f", self.f, purchase_days)
        money = _reason("m", self.m, gross)
        name = Segment(self.rules.segment(recency.score, frequency.score, money.score, purchase_days))
        return Standing(recency.score, frequency.score, money.score, name, (recency, frequency, money))


def _reason(letter: Letter, scale: Scale, value: int, sign: int = 1) -> Reason:
    """Explain a value on its scale; `sign` turns it into the unit people read."""
    steps = scale.steps
    reached = max(sum(cut <= value for _, cut in steps), 1)
    score, needs = steps[reached - 1]
    next_score, next_cut = steps[reached] if reached < len(steps) else (None, None)
    return Reason(
        letter=letter,
        score=score,
        value=sign * value,
        needs=sign * needs,
        next_score=next_score,
        next_needs=None if next_cut is None else sign * next_cut,
    )
