"""Refitting at the close of a day: each model of a currency anew from where the one in use stands, or kept as it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from babel.numbers import get_currency_precision

from services.analytics import buying_fit, models, spending, waiting
from services.analytics.buying import Buying, Counts
from services.analytics.events import Backtest, ModelFitted, ModelRejected
from services.analytics.fitting import Fit, Flag
from services.analytics.histories import Histories
from services.analytics.spending import Spending
from services.analytics.timing import counted
from services.analytics.value import lapse_horizon
from services.analytics.waiting import Gaps, Waiting
from shared.clock import date_of

BUYING: Final = "mbg_nbd"
SPENDING: Final = "gamma_gamma"
INTERVALS: Final = "gamma_intervals"
_PARAMETERS: Final = {BUYING: ("r", "alpha", "a", "b"), SPENDING: ("p", "q", "v"), INTERVALS: ("k", "r", "alpha")}
_MODELS: Final[Mapping[str, Callable[..., Any]]] = {BUYING: Buying, SPENDING: Spending, INTERVALS: Waiting}
_WORSE: Final = 0.01
"""A fit whose log-likelihood per customer is by more than this below that of the model in use has lost its way."""

Judged = ModelFitted | ModelRejected
InUse = Mapping[str, ModelFitted]
"""The models in use by name."""


@dataclass(frozen=True)
class _Found:
    """A fit with what it is to be judged by; `before` is the log-likelihood of the model in use on the same data."""

    fit: Fit[Any]
    unit: str
    before: float | None
    backtest: models.Backtest | None = None


def refit(some: Histories, as_of: int, currency: str, in_use: InUse, judged: Collection[str] = ()) -> Iterator[Judged]:
    """Fit the models of a currency to all purchases up to a day, but for those judged already.

    A model that the data cannot carry is passed over.
    """
    if not len(some.purchases):
        return
    for name in [each for each in _FITS if each not in judged]:
        found = _FITS[name](some, as_of, currency, in_use.get(name))
        if found.fit.model is not None:
            yield _judged(name, found, as_of, currency, in_use.get(name))


def model_of(event: ModelFitted) -> Any:
    """The model that was fitted: Buying, Spending or Waiting."""
    return _MODELS[event.model](*(event.parameters[name] for name in _PARAMETERS[event.model]))


def _judged(name: str, found: _Found, as_of: int, currency: str, in_use: ModelFitted | None) -> Judged:
    fit = found.fit
    if fit.model is None or fit.log_likelihood is None:
        raise ValueError(f"there is nothing to judge of {name}")
    worse = found.before is not None and (found.before - fit.log_likelihood) / fit.n > _WORSE
    common: dict[str, Any] = {
        "model": name,
        "version": f"{name}-{date_of(as_of).isoformat()}",
        "as_of": as_of,
        "currency": currency,
        "unit": found.unit,
        "parameters": {parameter: float(getattr(fit.model, parameter)) for parameter in _PARAMETERS[name]},
        "n": fit.n,
        "log_likelihood": fit.log_likelihood,
        "backtest": _told(found.backtest),
    }
    flags = tuple(flag.value for flag in fit.flags)
    if fit.usable is not None and not worse:
        return ModelFitted(flags=flags, **common)
    reasons = tuple(flag.value for flag in fit.flags if flag is not Flag.DROPOUT_NOT_IDENTIFIED)
    reasons = (*reasons, "worse than before") if worse else reasons
    return ModelRejected(reasons=reasons, kept=in_use.version if in_use else None, **common)


def _buying(some: Histories, as_of: int, _currency: str, in_use: ModelFitted | None) -> _Found:
    bought = some.bought
    counts = Counts.grouped(bought.days - 1, bought.last - bought.first, as_of - bought.first)
    before = model_of(in_use) if in_use else None
    horizon = lapse_horizon(counted(some).intervals.median)
    told = models.recent_backtest(some, as_of, horizon)
    fit = models.usable(buying_fit.fit(counts, before=before), told)
    return _Found(fit, "week", before.log_likelihood(counts) if before else None, told)


def _spending(some: Histories, _as_of: int, currency: str, in_use: ModelFitted | None) -> _Found:
    baskets = models.baskets_of(some.bought, 10 ** get_currency_precision(currency))
    before = model_of(in_use) if in_use else None
    return _Found(spending.fit(baskets), currency, before.log_likelihood(baskets.spenders()) if before else None)


def _intervals(some: Histories, _as_of: int, _currency: str, in_use: ModelFitted | None) -> _Found:
    bought = some.bought
    gaps = Gaps.of(bought.days - 1, bought.last - bought.first, math.fsum(bought.log_intervals.tolist()))
    before = model_of(in_use) if in_use else None
    return _Found(waiting.fit(gaps), "day", before.log_likelihood(gaps) if before else None)


_FITS: Final[Mapping[str, Callable[[Histories, int, str, ModelFitted | None], _Found]]] = {
    BUYING: _buying,
    SPENDING: _spending,
    INTERVALS: _intervals,
}


def _told(backtest: models.Backtest | None) -> Backtest | None:
    if backtest is None:
        return None
    found = backtest.purchases
    return Backtest(
        horizon_days=backtest.until - backtest.since,
        n=found.n,
        actual=found.actual,
        predicted=found.predicted,
        calibration_factor=found.calibration_factor,
        mae=found.mae,
        calibration_error=backtest.calibration_error,
        auc=backtest.auc,
    )
