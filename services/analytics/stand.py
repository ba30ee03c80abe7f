"""The stand of one currency: who stands in which segment at the end of a day, and by which figures."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from uuid import UUID

import numpy as np

from services.analytics.events import CurrencyClosed, Cuts, Grade, Grades, SegmentName
from services.analytics.histories import Histories, IntArray
from services.analytics.loyalty import SEGMENTS, Purchases, Ranking, Scale

NAMES: Final[tuple[SegmentName, ...]] = tuple(segment.value for segment in SEGMENTS)
_PREFIX: Final = "customer-"


@dataclass(frozen=True, eq=False)
class Stand:
    """The population of one currency at the end of a day: whoever has a purchase in it by then."""

    day: int
    currency: str
    histories: Histories

    @cached_property
    def purchases(self) -> Purchases:
        """What is ranked: aligned columns, as are all others here."""
        bought = self.histories.bought
        return Purchases(bought.last, bought.days, bought.gross)

    @cached_property
    def ranking(self) -> Ranking:
        """The scales of the population."""
        return Ranking.of(self.purchases, self.day)

    @cached_property
    def customers(self) -> list[str]:
        """Who they are."""
        return [self.histories.customers[who] for who in self.histories.bought.who.tolist()]

    @cached_property
    def rows(self) -> dict[str, int]:
        """Where in the columns a customer stands."""
        return {customer: row for row, customer in enumerate(self.customers)}

    @cached_property
    def codes(self) -> IntArray:
        """The segment of each, as an index into NAMES."""
        return self.ranking.segments(self.purchases) if self.customers else np.zeros(0, np.int64)

    @cached_property
    def segments(self) -> list[SegmentName]:
        """The segment of each."""
        return [NAMES[code] for code in self.codes.tolist()]

    def grades(self, row: int) -> Grades:
        """What the segment of one of them follows from."""
        bought, ranking = self.purchases, self.ranking
        return Grades(
            among=len(self.customers),
            recency=_grade(ranking.r, int(bought.last[row]) - self.day, sign=-1),
            frequency=_grade(ranking.f, int(bought.days[row])),
            money=_grade(ranking.m, int(bought.gross[row])),
        )

    def closed(self, models: Collection[str]) -> CurrencyClosed:
        """The population in figures, for the event that closes the day."""
        cuts, counts = self.ranking.cuts, self.ranking.segment_counts(self.purchases) if self.customers else {}
        return CurrencyClosed(
            currency=self.currency,
            customers=len(self.customers),
            segments={segment.value: counts.get(segment, 0) for segment in SEGMENTS},
            cuts=Cuts(recency=tuple(cuts["r"]), frequency=tuple(cuts["f"]), money=tuple(cuts["m"])),
            models=tuple(models),
        )


def _grade(scale: Scale, value: int, sign: int = 1) -> Grade:
    """A value on its scale; `sign` turns it into the unit people read."""
    score, takes = max((step for step in scale.steps if step[1] <= value), default=scale.steps[0])
    return Grade(value=sign * value, score=score, takes=sign * takes)


def subject_of(customer: UUID) -> str:
    """The subject that a customer is in the log."""
    return f"{_PREFIX}{customer}"


def id_of(subject: str) -> UUID:
    """The customer that a subject is."""
    return UUID(subject.removeprefix(_PREFIX))
