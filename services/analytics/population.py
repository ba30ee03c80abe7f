"""The population: all customers of a scope, ranked against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.analytics.histories import Bought, histories
from services.analytics.loyalty import SEGMENTS, Purchases, Ranking, Segment
from services.analytics.scope import Scope
from shared.projections import Snapshot


@dataclass(frozen=True)
class Population:
    """The three scales of a population, and who and how much money is in each segment.

    Attributes:
        ranking: Places any customer of the population.
        customers: Customers per segment, also where there are none.
        gross: Minor units of valid orders per segment.
    """

    ranking: Ranking
    customers: Mapping[Segment, int]
    gross: Mapping[Segment, int]


def population(db: Snapshot, scope: Scope) -> Population:
    """Rank the customers of a scope."""
    return ranked(histories(db, scope).bought, scope.as_of)


def ranked(bought: Bought, as_of: int) -> Population:
    """Rank customers with a purchase by what they bought up to a day."""
    purchases = Purchases(bought.last, bought.days, bought.gross)
    ranking = Ranking.of(purchases, as_of)
    segments = ranking.segments(purchases)
    money = {name: int(bought.gross[segments == code].sum()) for code, name in enumerate(SEGMENTS)}
    return Population(ranking, ranking.segment_counts(purchases), money)
