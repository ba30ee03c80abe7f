"""Scoring: every customer of a base with all scores of a day, and the models and the backtest they rest on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from services.analytics import models
from services.analytics.buying import WEEK, Buying, Counts
from services.analytics.fitting import Fit, FloatArray
from services.analytics.histories import Bought, Histories, IntArray, histories
from services.analytics.loyalty import Purchases
from services.analytics.loyalty_index import LoyaltyIndex
from services.analytics.model_versions import Published, published
from services.analytics.population import Population, ranked
from services.analytics.purchase_days import EVERYBODY
from services.analytics.refit import BUYING
from services.analytics.scope import Scope
from services.analytics.score_models import ScoreModels
from services.analytics.spending import Spending
from services.analytics.timing import Timing, counted
from services.analytics.value import Concentration, Terms, lapse_bands, lapse_horizon, lifetime_value
from services.analytics.waiting import Waiting
from shared.projections import Snapshot

TERMS: Final = Terms()
"""A year ahead, discounted by a tenth a year, as revenue: no margin is made up."""


@dataclass(frozen=True)
class Scoring:
    """A base on a day. All columns are aligned with the customers who bought.

    Attributes:
        as_of: The day up to which purchases count.
        histories: Their purchase days.
        models: What their scores rest on.
    """

    as_of: int
    histories: Histories
    models: ScoreModels

    @property
    def bought(self) -> Bought:
        """What their purchase days say."""
        return self.histories.bought

    @cached_property
    def timing(self) -> Timing:
        """Their intervals, and how regular they are."""
        return counted(self.histories)

    @property
    def horizon(self) -> int:
        """Days that a chance to be active looks ahead."""
        return lapse_horizon(self.timing.intervals.median)

    @cached_property
    def place(self) -> dict[str, int]:
        """Where a customer stands in the columns, by subject."""
        return {self.histories.customers[who]: number for number, who in enumerate(self.bought.who.tolist())}

    @cached_property
    def population(self) -> Population:
        """Their scores against each other."""
        return ranked(self.bought, self.as_of)

    @cached_property
    def segments(self) -> IntArray:
        """Their segments, as indices into SEGMENTS."""
        bought = self.bought
        return self.population.ranking.segments(Purchases(bought.last, bought.days, bought.gross))

    @cached_property
    def index(self) -> LoyaltyIndex:
        """Their behavioural loyalty."""
        return LoyaltyIndex.of(self.bought)

    @cached_property
    def counts(self) -> Counts:
        """What the buying model knows of each."""
        return models.counts_of(self.bought, self.as_of)

    @cached_property
    def verdict(self) -> Fit[Buying]:
        """The buying model as its backtest leaves it."""
        return models.usable(self.models.mbg, self.models.backtest)

    @property
    def model_name(self) -> str:
        """The buying model by its version."""
        return self.models.name(BUYING)

    @property
    def buying(self) -> Buying | None:
        """The buying model, if it may be used."""
        return self.verdict.usable

    @property
    def spending(self) -> Spending | None:
        """The spending model, if it may be used."""
        return self.models.spending.usable

    @property
    def waiting(self) -> Waiting | None:
        """The model of intervals, if it may be used."""
        return self.models.waiting.usable

    @cached_property
    def active(self) -> FloatArray | None:
        """The chance of each to buy within the horizon; None without a model."""
        model = self.buying
        return None if model is None else model.active(self.counts, self.horizon / WEEK)

    @cached_property
    def lapse(self) -> IntArray | None:
        """The band of each by the chance not to, as indices into LAPSES."""
        return None if self.active is None else lapse_bands(self.active)

    @cached_property
    def expected(self) -> FloatArray | None:
        """Purchase days of each within the horizon."""
        model = self.buying
        return None if model is None else model.expected(self.counts, self.horizon / WEEK)

    @cached_property
    def value(self) -> FloatArray | None:
        """What each will bring in a year, in minor units; None where purchases or spend have no model."""
        if self.buying is None or self.spending is None:
            return None
        baskets = models.baskets_of(self.bought, self.models.minor)
        worth = lifetime_value(self.buying, self.spending, self.counts, baskets, TERMS)
        return worth * self.models.minor

    @cached_property
    def concentration(self) -> Concentration:
        """How the gross amount so far is spread."""
        return Concentration.of(self.bought.gross)


def scoring(db: Snapshot, scope: Scope, before: Scoring | None = None) -> Scoring:
    """Score the customers of a scope with the models in use on its day.

    What no day close published is taken from an earlier answer as long as it holds: a fit takes seconds and hardly
    moves with one more order. It is renewed once customers or purchase days have changed by a fiftieth.
    """
    some, used = histories(db, scope), _published(db, scope)
    if before is not None and before.models.hold(some, used):
        return Scoring(scope.as_of, some, before.models)
    horizon = lapse_horizon(counted(some).intervals.median)
    return Scoring(scope.as_of, some, ScoreModels.of(some, scope.as_of, scope.minor, horizon, used))


def _published(db: Snapshot, scope: Scope) -> dict[str, Published]:
    """What the day closes say of this base; they speak of all customers of a currency, not of one source's."""
    if scope.source != EVERYBODY or scope.currency is None:
        return {}
    return published(db, scope.currency, scope.as_of)
