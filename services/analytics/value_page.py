"""The page of value: what the base is worth, on how few it rests, who may lapse, and how good the model is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from services.analytics.figures import Figure, Rows
from services.analytics.fitting import Fit, FloatArray
from services.analytics.insights import Choices, Tab, insight
from services.analytics.kept import kept
from services.analytics.loyalty import SEGMENTS
from services.analytics.movement import portfolio
from services.analytics.question import Viewed
from services.analytics.refit import BUYING, INTERVALS, SPENDING
from services.analytics.score_models import ScoreModels
from services.analytics.score_words import LAPSE_NAMES, flags
from services.analytics.scoring import TERMS, Scoring, scoring
from services.analytics.value import LAPSES
from services.analytics.words import SEGMENT_NAMES
from shared.projections import Snapshot
from shared.web import guard
from shared.web.curves import curve
from shared.web.guard import may
from shared.web.plots import bars
from shared.web.serving import Frame, Here

router = guard.router(include_in_schema=False)
_STEPS: Final = 50
"""Steps of the curve of concentration."""
_BEST_FIFTH: Final = 0.2
_ROOM_FOR_MONEY: Final = 104
"""Pixels beside the longest bar, enough for millions with the name of their currency."""
_DOOR: Final = Markup('<a class="door" href="{}">{}</a>')


@router.get("/value")
@may("analyst", "manager", "specialist")
async def value(request: Request, here: Here, frame: Frame, viewed: Viewed) -> HTMLResponse:
    """What customers are worth so far and in the year to come."""
    answers = kept(here.models)

    def compose(db: Snapshot, choices: Choices) -> Mapping[str, Any]:
        found = answers.renewed(db, scoring, choices.ground.scope)
        worth = portfolio(found)
        models = found.models
        return {
            "found": found,
            "portfolio": worth,
            "expected": None if found.expected is None else float(found.expected.sum()),
            "active": None if found.active is None else float(found.active.sum()),
            "terms": TERMS,
            "segments": segment_figure(worth, choices),
            "spread": spread_figure(found, choices) if found.concentration.gini is not None else None,
            "lapses": lapse_figure(found, choices),
            "backtest": models.backtest,
            "flags": flags((*found.verdict.flags, *models.spending.flags), choices.reader),
            "parameters": parameters(models),
        }

    return await insight(request, here, frame, viewed, Tab.VALUE, compose)


def segment_figure(worth: Mapping[str, Any], choices: Choices) -> Figure | None:
    """The value to come by segment beside the one so far; None without a model."""
    _, formats = choices.reader.words.gettext, choices.reader.formats
    lifetime, currency = worth["lifetime"], choices.ground.scope.currency or ""
    if lifetime is None:
        return None
    names = [_(SEGMENT_NAMES[segment]) for segment in SEGMENTS]
    coming = [lifetime["by_segment"][segment.value] for segment in SEGMENTS]

    def money(minor: float) -> str:
        return formats.money(round(minor), currency, whole=True)

    unit = _("value of the coming year")
    plot = bars(names, coming, name=_("segment"), unit=unit, strong=names[:1], show=money)
    rows = [
        (
            name,
            _DOOR.format(choices.customers(segment=each.value), money(to_come)),
            money(worth["by_segment"][each.value]),
        )
        for name, each, to_come in zip(names, SEGMENTS, coming, strict=True)
    ]
    best = max(range(len(coming)), key=coming.__getitem__)
    told = {"segment": names[best], "share": formats.percent(coming[best] / (sum(coming) or 1))}
    title = _("%(segment)s: %(share)s of the value to come") % told
    columns = (_("segment"), unit, _("revenue so far"))
    option = {**plot.option, "grid": {**plot.option["grid"], "right": _ROOM_FOR_MONEY}}
    return Figure(title, replace(plot, option=option, columns=columns, rows=rows))


def spread_figure(scored: Scoring, choices: Choices) -> Figure:
    """How few customers carry how much of the revenue so far; there is some."""
    _, formats = choices.reader.words.gettext, choices.reader.formats
    plot = curve(
        spread(scored),
        across=_("share of the customers, the best first"),
        upright=_("share of the revenue"),
        across_formatter="@percent",
        mark=(_BEST_FIFTH, _("the best fifth")),
        show_across=formats.percent,
        show=lambda share: formats.percent(share, 1),
    )
    top = scored.concentration.top_share
    title = _("Too few customers to say how unequal they are")
    if top is not None:
        title = _("The best fifth of the customers brings %(share)s of the revenue") % {"share": formats.percent(top)}
    gini = formats.number(scored.concentration.gini, 2)
    note = _("Gini %(gini)s: 0 is all the same, 1 is one customer with everything.") % {"gini": gini}
    return Figure(title, plot, note)


def spread(scored: Scoring) -> list[tuple[float, float]]:
    """(share of customers, share of their revenue), the best customers first."""
    gross = np.sort(scored.bought.gross)[::-1].astype(np.float64)
    reached: FloatArray = np.concatenate([[0.0], np.cumsum(gross)]) / gross.sum()
    shares = np.linspace(0, 1, _STEPS + 1)
    places = np.interp(shares, np.linspace(0, 1, len(reached)), reached)
    return [(float(share), float(place)) for share, place in zip(shares, places, strict=True)]


def lapse_figure(scored: Scoring, choices: Choices) -> Figure | None:
    """How many customers are in each band; None without a model."""
    _, formats = choices.reader.words.gettext, choices.reader.formats
    if scored.lapse is None:
        return None
    counts = lapse_counts(scored)
    names = [_(LAPSE_NAMES[lapse]) for lapse in LAPSES]
    plot = bars(names, counts, name=_("risk of lapsing"), unit=_("customers"), strong=names[:1], show=formats.number)
    rows = [
        (name, _DOOR.format(choices.customers(lapse=lapse.value), shown))
        for lapse, (name, shown) in zip(LAPSES, plot.rows, strict=True)
    ]
    days = formats.days(scored.horizon)
    told = {"count": formats.number(counts[0]), "share": formats.percent(counts[0] / len(scored.lapse)), "days": days}
    title = _("%(count)s customers (%(share)s) will probably not order within %(days)s") % told
    return Figure(title, replace(plot, rows=rows))


def lapse_counts(scored: Scoring) -> list[int]:
    """Customers in each band of LAPSES; none without a model."""
    return [] if scored.lapse is None else np.bincount(scored.lapse, minlength=len(LAPSES)).tolist()


def parameters(models: ScoreModels) -> list[tuple[str, dict[str, float]]]:
    """The models by version with their parameters, those that are not used as well."""
    fits: dict[str, Fit[Any]] = {BUYING: models.mbg, SPENDING: models.spending, INTERVALS: models.waiting}
    return [(models.name(name), dict(vars(fit.model))) for name, fit in fits.items() if fit.model is not None]


def value_rows(worth: Mapping[str, Any], currency: str) -> Rows:
    """Value by segment as plain figures, under their names; to come is empty without a model."""
    yield "segment", "currency", "gross_minor", "coming_minor"
    lifetime = worth["lifetime"]
    for segment in SEGMENTS:
        coming = None if lifetime is None else lifetime["by_segment"][segment.value]
        yield segment.value, currency, worth["by_segment"][segment.value], coming


def spread_rows(scored: Scoring) -> Rows:
    """The curve of concentration as plain figures, under their names."""
    yield "share_of_customers", "share_of_revenue"
    if scored.concentration.gini is not None:
        yield from spread(scored)


def lapse_rows(scored: Scoring) -> Rows:
    """The bands as plain figures, under their names."""
    yield "risk", "customers"
    yield from zip((lapse.value for lapse in LAPSES), lapse_counts(scored), strict=False)
