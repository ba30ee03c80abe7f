"""Inputs: what went into a score and what it was held against, as names and values that a person reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final, cast

from services.analytics.explain import Explanation, Score
from services.analytics.loyalty import Letter
from services.analytics.loyalty_page import takes
from services.analytics.rules import SCORES
from services.analytics.words import Reader
from shared.web.i18n import N_

Told = tuple[str, str, None]
"""Name, value and no note: what `ui.facts` shows."""

NAMES: Final[Mapping[str, str]] = {
    "purchase_days": N_("Purchase days"),
    "x": N_("Of them after the first"),
    "t_x": N_("From first to last"),
    "T": N_("Since the first"),
    "last": N_("Last order"),
    "gross_minor": N_("Revenue"),
    "net_minor": N_("Net"),
    "horizon_days": N_("Days ahead"),
    "alive": N_("Chance not to have dropped out"),
    "risk": N_("Chance not to order"),
    "weeks": N_("Weeks ahead"),
    "discount": N_("Discount a year"),
    "earliest": N_("Window from"),
    "latest": N_("Window to"),
    "elapsed": N_("Since the last order"),
    "shorter": N_("Would have come by now"),
    "n": N_("Customers"),
    "median": N_("Median of all"),
    "median_minor": N_("Median of all"),
    "total_minor": N_("All together"),
    "since": N_("Asked on"),
    "until": N_("Foretold until"),
    "actual": N_("Purchase days that came"),
    "predicted": N_("Foretold"),
    "total_error": N_("Error in total"),
    "mae": N_("Error a customer"),
    "auc": N_("AUC (0.5 is chance)"),
    "calibration_error": N_("Chances are off by"),
    "buying": N_("Parameters of buying"),
    "spending": N_("Parameters of spend"),
    "timing": N_("Parameters of intervals"),
}
"""The figures that are shown; others, such as squared errors, are left to the API."""

_SHARES: Final = frozenset({"alive", "risk", "discount", "shorter", "total_error", "calibration_error"})
_DAYS: Final = frozenset({"t_x", "T", "horizon_days", "elapsed"})
_WHOLE: Final = frozenset({"n", "x", "purchase_days", "weeks", "actual", "predicted"})


def facts_of(figures: Mapping[str, Any], found: Explanation, reader: Reader, currency: str) -> list[Told]:
    """Figures with their names, in the order in which they came."""
    gettext = reader.words.gettext
    named = [(key, figure) for key, figure in figures.items() if key in NAMES and figure is not None]
    told: list[Told] = [
        (gettext(NAMES[key]), shown(key, figure, found.score, reader, currency), None) for key, figure in named
    ]
    return told + list(_cuts(figures, found.score, reader, currency))


def shown(key: str, figure: Any, score: Score, reader: Reader, currency: str) -> str:
    """One figure with its unit."""
    formats = reader.formats
    if isinstance(figure, date):
        return formats.date(figure)
    if isinstance(figure, Mapping):
        return " · ".join(f"{name} {formats.number(value, 3)}" for name, value in figure.items())
    if key.endswith("_minor"):
        return formats.money(figure, currency)
    if key in _SHARES or (key == "median" and score is Score.ACTIVE):
        return formats.percent(figure, 1)
    if key in _DAYS:
        return formats.days(figure)
    return formats.number(round(figure) if key in _WHOLE else figure, 0 if key in _WHOLE else 2)


def _cuts(figures: Mapping[str, Any], score: Score, reader: Reader, currency: str) -> Iterator[Told]:
    """What each score takes, and how many customers have it."""
    cuts = figures.get("cuts")
    by_letter = cuts if isinstance(cuts, Mapping) else {score.value: cuts} if cuts else {}
    counts: Sequence[int] = figures.get("customers", ())
    for letter, takers in by_letter.items():
        for number, cut in zip(SCORES, takers, strict=True):
            needs = takes(cast("Letter", letter), cut, currency, reader)
            beside = f" ({reader.formats.number(counts[number - 1])})" if counts else ""
            yield f"{letter.upper()} {number}", f"{needs}{beside}", None
