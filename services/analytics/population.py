"""The population: all customers of a scope ranked against each other, kept as long as nothing moves."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
import sqlalchemy as sa

from services.analytics.loyalty import SEGMENTS, Purchases, Ranking, Segment
from services.analytics.purchase_days import days
from services.analytics.scope import Scope
from shared.projections import ReadModels, Snapshot

_KEPT: Final = 32


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
    """Rank a population anew."""
    c = days.c
    query = sa.select(sa.func.max(c.day), sa.func.count(c.day.distinct()), sa.func.sum(c.gross))
    rows = db.execute(query.where(*scope.purchases()).group_by(c.customer)).all()
    last, purchase_days, gross = np.array([tuple(row) for row in rows], dtype=np.int64).reshape(-1, 3).T
    bought = Purchases(last, purchase_days, gross)
    ranking = Ranking.of(bought, scope.as_of)
    segments = ranking.segments(bought)
    money = {name: int(gross[segments == code].sum()) for code, name in enumerate(SEGMENTS)}
    return Population(ranking, ranking.segment_counts(bought), money)


class Populations:
    """The populations asked for last, of one set of read models."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, int, Scope], Population] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, db: Snapshot, scope: Scope) -> Population:
        """The population of a scope at the moment of a snapshot."""
        # While the derived tables catch up, the position stands still but the sums move on.
        key = (db.position, db.applied, scope)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = population(db, scope)
        with self._lock:
            self._kept[key] = found
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found


_of_models: WeakKeyDictionary[ReadModels, Populations] = WeakKeyDictionary()


def populations(models: ReadModels) -> Populations:
    """What is kept for these read models."""
    return _of_models.setdefault(models, Populations())
