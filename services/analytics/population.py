"""The population: all customers of a scope, ranked against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from services.analytics.loyalty import SEGMENTS, Purchases, Ranking, Segment
from services.analytics.purchase_days import days
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
    c = days.c
    query = sa.select(sa.func.max(c.day), sa.func.count(c.day.distinct()), sa.func.sum(c.gross))
    rows = db.execute(query.where(*scope.purchases()).group_by(c.customer)).all()
    last, purchase_days, gross = np.array([tuple(row) for row in rows], dtype=np.int64).reshape(-1, 3).T
    bought = Purchases(last, purchase_days, gross)
    ranking = Ranking.of(bought, scope.as_of)
    segments = ranking.segments(bought)
    money = {name: int(gross[segments == code].sum()) for code, name in enumerate(SEGMENTS)}
    return Population(ranking, ranking.segment_counts(bought), money)
