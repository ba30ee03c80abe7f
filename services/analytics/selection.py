"""Selection: the customers behind a figure, picked from the scores of a base."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from services.analytics.loyalty import SEGMENTS, Segment
from services.analytics.migration import ABSENT
from services.analytics.movement import month_of, segments_on
from services.analytics.scoring import Scoring
from services.analytics.value import LAPSES, Lapse

BoolArray = npt.NDArray[np.bool_]
NOT_YET: Final = "none"
"""The earlier segment of a customer who had not bought yet."""
BEST: Final = 100
"""The highest loyalty index."""
BIN: Final = 10
"""Points of the loyalty index in one bin."""


@dataclass(frozen=True)
class Selection:
    """Which customers: every condition that is not None must hold.

    Attributes:
        segment: Where they stand.
        was: Where they stood on the day `since`; NOT_YET for those who had not bought by then.
        since: That business day.
        lapse: Their band.
        letter: Which of the three scores is meant by `score`.
        score: What they have of it, 1 to 5.
        points: Their loyalty index, from this number of points up to BIN more.
        first: Month of the first purchase, counted from January 1970.
        active: A month in which they bought.
    """

    segment: Segment | None = None
    was: Segment | Literal["none"] | None = None
    since: int | None = None
    lapse: Lapse | None = None
    letter: Literal["r", "f", "m"] | None = None
    score: int | None = None
    points: int | None = None
    first: int | None = None
    active: int | None = None

    def of(self, scored: Scoring) -> list[int]:
        """Their places in the columns, the most loyal first, equal ones in the order of the customers."""
        chosen = np.ones(len(scored.bought.who), np.bool_)
        for condition in self._conditions(scored):
            chosen &= condition
        places = np.flatnonzero(chosen)
        return [int(place) for place in places[np.argsort(-scored.index.total[places], kind="stable")]]

    def _conditions(self, scored: Scoring) -> list[BoolArray]:
        found: list[Any] = []
        if self.segment is not None:
            found.append(scored.segments == SEGMENTS.index(self.segment))
        if self.was is not None and self.since is not None:
            before = segments_on(scored.histories, self.since)[scored.bought.who]
            found.append(before == (ABSENT if self.was == NOT_YET else SEGMENTS.index(Segment(self.was))))
        if self.lapse is not None:
            band = scored.lapse
            found.append(
                np.zeros(len(scored.bought.who), np.bool_) if band is None else band == LAPSES.index(self.lapse)
            )
        if self.letter is not None and self.score is not None:
            found.append(self._scored(scored) == self.score)
        if self.points is not None:
            top = self.points + BIN >= BEST  # the best of all belongs to the last bin
            total = scored.index.total
            found.append((total >= self.points) & ((total < self.points + BIN) | top))
        if self.first is not None:
            found.append(month_of(scored.bought.first) == self.first)
        if self.active is not None:
            found.append(self._bought_in(scored, self.active))
        return found

    def _scored(self, scored: Scoring) -> Any:
        bought, ranking = scored.bought, scored.population.ranking
        values = {"r": bought.last - scored.as_of, "f": bought.days, "m": bought.gross}[self.letter or "r"]
        return getattr(ranking, self.letter or "r").scores(values)

    @staticmethod
    def _bought_in(scored: Scoring, month: int) -> BoolArray:
        some = scored.histories
        days = month_of(some.day[some.purchases]) == month
        bought = np.zeros(len(some.customers), np.bool_)
        bought[some.whose[some.purchases][days]] = True
        chosen: BoolArray = bought[scored.bought.who]
        return chosen
