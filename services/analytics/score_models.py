"""The models that scores are made with: those that the day closes published, so that a rebuild gives the same scores.

Only where none of a kind covers the day, or one source is asked about, is it fitted for the question; its name says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from services.analytics import buying_fit, models, spending
from services.analytics.accuracy import Accuracy
from services.analytics.buying import Buying, Counts
from services.analytics.events import ModelFitted
from services.analytics.fitting import Fit, Flag, Verdict
from services.analytics.histories import Histories
from services.analytics.model_versions import Published
from services.analytics.models import Backtest
from services.analytics.refit import BUYING, INTERVALS, SPENDING, model_of
from services.analytics.spending import Spending
from services.analytics.timing import foretold
from services.analytics.waiting import Waiting
from shared.clock import date_of

AD_HOC: Final = " (ad hoc)"
"""Ends the name of a model that no day close published."""
_HOLDS_WITHIN: Final = 0.02


@dataclass(frozen=True)
class ScoreModels:
    """What the scores of one base on one day rest on.

    Attributes:
        as_of: The day of the question.
        minor: Minor units in the unit of money of the spending model.
        n: Customers with a purchase, when this was put together.
        purchase_days: Their purchase days, all together.
        mbg: MBG/NBD.
        spending: Gamma-gamma.
        waiting: Gamma intervals.
        backtest: What the buying model would have foretold of the last horizon; None where it could not be fitted.
        published: Those of them that a day close published, by name.
    """

    as_of: int
    minor: int
    n: int
    purchase_days: int
    mbg: Fit[Buying]
    spending: Fit[Spending]
    waiting: Fit[Waiting]
    backtest: Backtest | None
    published: Mapping[str, Published]

    @classmethod
    def of(cls, some: Histories, as_of: int, minor: int, horizon: int, published: Mapping[str, Published]) -> Self:
        """Take what was published, and fit the rest to histories up to the day."""
        told, spent, waited = map(published.get, (BUYING, SPENDING, INTERVALS))
        return cls(
            as_of=as_of,
            minor=minor,
            n=len(some.bought.who),
            purchase_days=len(some.purchases),
            mbg=_taken(told) if told else _bought(some, as_of),
            spending=_taken(spent) if spent else spending.fit(models.baskets_of(some.bought, minor)),
            waiting=_taken(waited) if waited else foretold(some),
            backtest=_backtest(told.event) if told else models.recent_backtest(some, as_of, horizon),
            published=published,
        )

    def hold(self, some: Histories, published: Mapping[str, Published]) -> bool:
        """Whether nothing else was published, and customers and purchase days are as many within a fiftieth."""
        counts = ((len(some.bought.who), self.n), (len(some.purchases), self.purchase_days))
        return published == self.published and all(abs(now - then) <= _HOLDS_WITHIN * then for now, then in counts)

    def name(self, model: str) -> str:
        """A model by its version, which is its kind and the day of its fit."""
        if (found := self.published.get(model)) is not None:
            return found.event.version
        return f"{model}-{date_of(self.as_of)}{AD_HOC}"

    def events(self, *names: str) -> tuple[int, ...]:
        """The positions of the events that published some models; none of those that were fitted for the question."""
        return tuple(self.published[name].position for name in names if name in self.published)


def _taken(found: Published) -> Fit[Any]:
    event = found.event
    flags = tuple(map(Flag, event.flags))
    return Fit(Verdict.FITTED, model_of(event), event.n, event.log_likelihood, flags)


def _bought(some: Histories, as_of: int) -> Fit[Buying]:
    bought = some.bought
    return buying_fit.fit(Counts.grouped(bought.days - 1, bought.last - bought.first, as_of - bought.first))


def _backtest(event: ModelFitted) -> Backtest | None:
    """What the event tells of it; of correlation and squared errors it says nothing."""
    told = event.backtest
    if told is None:
        return None
    purchases = Accuracy(
        n=told.n,
        actual=told.actual,
        predicted=told.predicted,
        total_error=told.predicted / told.actual - 1 if told.actual else None,
        calibration_factor=told.calibration_factor,
        mae=told.mae,
        rmse=None,
        correlation=None,
    )
    return Backtest(event.as_of - told.horizon_days, event.as_of, purchases, told.auc, told.calibration_error)
