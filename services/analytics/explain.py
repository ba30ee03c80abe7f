"""Explanations: what a score of one customer is made of, against whom, by which model, and how good that model was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any, Final

import numpy as np

from services.analytics.loyalty import Letter
from services.analytics.models import Backtest
from services.analytics.refit import BUYING, INTERVALS, SPENDING
from services.analytics.scoring import TERMS, Scoring
from services.analytics.value import LAPSES
from shared.clock import date_of
from shared.errors import Refused


class Score(StrEnum):
    """What can be explained."""

    RECENCY = "r"
    FREQUENCY = "f"
    MONEY = "m"
    SEGMENT = "segment"
    INDEX = "index"
    ACTIVE = "active"
    LAPSE = "lapse"
    EXPECTED = "expected"
    VALUE = "value"
    DUE = "due"


DEFINITIONS: Final[Mapping[Score, str]] = {
    Score.RECENCY: "1 + ⌊5 · customers whose last purchase is longer ago / customers⌋",
    Score.FREQUENCY: "1 + ⌊5 · customers with fewer purchase days / customers⌋",
    Score.MONEY: "1 + ⌊5 · customers who spent less / customers⌋",
    Score.SEGMENT: "from r against s = (f + m) / 2: champion r ≥ 4 and s ≥ 4; loyal r = 3 and s ≥ 4; at risk r ≤ 2 and"
    " s ≥ 4; new r ≥ 4, s < 4 and one purchase day; dormant r ≤ 2 and s < 3; else regular",
    Score.INDEX: "40 · recency + 40 · frequency + 20 · spend, each the share of customers one is ahead of",
    Score.ACTIVE: "chance of a purchase within the horizon (MBG/NBD)",
    Score.LAPSE: "high from a risk of 0.7, medium from 0.4; the risk is 1 - the chance to be active",
    Score.EXPECTED: "purchase days expected within the horizon (MBG/NBD)",
    Score.VALUE: "Σ over 52 weeks of expected purchases · expected spend · 1.1^-(week / 52); revenue, no margin is set",
    Score.DUE: "last purchase + the median of the next interval (gamma intervals); eight of ten come in the window",
}


@dataclass(frozen=True)
class Explanation:
    """One score, opened. Days are dates; what is undefined is None.

    Attributes:
        score: Which one.
        value: What it is.
        model: The models it was made with, by their versions; None where it is counted.
        inputs: What went in of this customer.
        population: What it was held against.
        contributions: Parts that add up to the value, where it has such parts.
        backtest: What the same model would have foretold of the recent past.
        model_events: Positions of the events that published the models; none of those fitted for the question.
    """

    score: Score
    value: float | int | str | date | None
    model: str | None
    inputs: Mapping[str, Any]
    population: Mapping[str, Any]
    contributions: tuple[tuple[str, float], ...] = ()
    backtest: Mapping[str, Any] | None = None
    model_events: tuple[int, ...] = ()

    @property
    def definition(self) -> str:
        """How the score is made."""
        return DEFINITIONS[self.score]


def explain(scoring: Scoring, subject: str, score: Score) -> Explanation:
    """Open a score of a customer.

    Raises:
        Refused: there is no purchase to score, or too little data for the model.
    """
    place = scoring.place.get(subject)
    if place is None:
        raise Refused("this customer has no purchase up to that day", field="customer")
    return _WAYS[score](scoring, place, score)


def backtest_facts(told: Backtest | None) -> dict[str, Any] | None:
    """A backtest as plain figures."""
    if told is None:
        return None
    found = told.purchases
    return {
        "since": date_of(told.since),
        "until": date_of(told.until),
        "n": found.n,
        "actual": found.actual,
        "predicted": found.predicted,
        "total_error": found.total_error,
        "calibration_factor": found.calibration_factor,
        "mae": found.mae,
        "rmse": found.rmse,
        "corr": found.correlation,
        "auc": told.auc,
        "calibration_error": told.calibration_error,
    }


def _inputs(scoring: Scoring, place: int) -> dict[str, Any]:
    bought = scoring.bought
    first, last = int(bought.first[place]), int(bought.last[place])
    return {
        "purchase_days": int(bought.days[place]),
        "x": int(bought.days[place]) - 1,
        "t_x": last - first,
        "T": scoring.as_of - first,
        "last": date_of(last),
        "gross_minor": int(bought.gross[place]),
        "net_minor": int(bought.net[place]),
    }


def _scored(scoring: Scoring, place: int, score: Score) -> Explanation:
    bought, ranking = scoring.bought, scoring.population.ranking
    standing = ranking.place(*(int(column[place]) for column in (bought.last, bought.days, bought.gross)))
    letters: dict[Letter, int] = {"r": standing.r, "f": standing.f, "m": standing.m}
    cuts: dict[str, Any] = {"n": ranking.n, "cuts": ranking.cuts}
    if score is Score.SEGMENT:
        parts = tuple((name, float(points)) for name, points in letters.items())
        return Explanation(score, standing.segment.value, None, _inputs(scoring, place), cuts, parts)
    letter = next(name for name in letters if name == score.value)
    counts = getattr(ranking, letter).counts
    population = {"n": ranking.n, "cuts": ranking.cuts[letter], "customers": list(counts)}
    return Explanation(score, letters[letter], None, _inputs(scoring, place), population)


def _index(scoring: Scoring, place: int, score: Score) -> Explanation:
    index = scoring.index
    parts = {"recency": index.recency, "frequency": index.frequency, "spend": index.spend}
    points = tuple((name, float(column[place])) for name, column in parts.items())
    population = {"n": len(index.total), "median": float(np.median(index.total))}
    return Explanation(score, float(index.total[place]), None, _inputs(scoring, place), population, points)


def _modelled(scoring: Scoring, place: int, score: Score) -> Explanation:
    model, active, expected = scoring.buying, scoring.active, scoring.expected
    if model is None or active is None or expected is None:
        raise _too_little(scoring.verdict.flags)
    alive = float(model.alive(scoring.counts)[place])
    inputs = {**_inputs(scoring, place), "horizon_days": scoring.horizon, "alive": alive}
    column = expected if score is Score.EXPECTED else active
    population = {"n": scoring.verdict.n, "median": float(np.median(column)), **_parameters(scoring)}
    value: float | str = float(column[place])
    if score is Score.LAPSE and scoring.lapse is not None:
        inputs["risk"] = 1 - float(active[place])
        value = LAPSES[scoring.lapse[place]].value
    return _made_with(scoring, (BUYING,), Explanation(score, value, None, inputs, population))


def _value(scoring: Scoring, place: int, score: Score) -> Explanation:
    value, spending, expected = scoring.value, scoring.spending, scoring.expected
    if value is None or spending is None or expected is None:
        raise _too_little((*scoring.verdict.flags, *scoring.models.spending.flags))
    inputs = {**_inputs(scoring, place), "weeks": TERMS.weeks, "discount": TERMS.discount, "basis": TERMS.basis.value}
    population = {
        "n": len(value),
        "median_minor": round(float(np.median(value))),
        "total_minor": round(float(value.sum())),
        **_parameters(scoring),
        "spending": {"p": spending.p, "q": spending.q, "v": spending.v},
    }
    opened = Explanation(score, round(float(value[place])), None, inputs, population)
    return _made_with(scoring, (BUYING, SPENDING), opened)


def _due(scoring: Scoring, place: int, score: Score) -> Explanation:
    model = scoring.waiting
    if model is None:
        raise _too_little(scoring.models.waiting.flags)
    bought = scoring.bought
    n, total = int(bought.days[place]) - 1, int(bought.last[place] - bought.first[place])
    due = model.due(int(bought.last[place]), n, total, scoring.as_of)
    inputs = {
        **_inputs(scoring, place),
        "own": due.own,
        "earliest": date_of(due.earliest),
        "latest": date_of(due.latest),
        "elapsed": due.elapsed,
        "overdue": due.overdue,
        "shorter": due.shorter,
    }
    population = {"n": scoring.models.waiting.n, "timing": {"k": model.k, "r": model.r, "alpha": model.alpha}}
    return _made_with(scoring, (INTERVALS,), Explanation(score, date_of(due.day), None, inputs, population))


def _made_with(scoring: Scoring, names: tuple[str, ...], opened: Explanation) -> Explanation:
    """The explanation with the models behind it, and with the backtest of the one of buying."""
    models = scoring.models
    told = backtest_facts(models.backtest) if BUYING in names else None
    versions = ", ".join(map(models.name, names))
    return replace(opened, model=versions, model_events=models.events(*names), backtest=told)


def _parameters(scoring: Scoring) -> dict[str, Any]:
    model = scoring.buying
    flags = [flag.value for flag in scoring.verdict.flags]
    return {"flags": flags, "buying": model and {"r": model.r, "alpha": model.alpha, "a": model.a, "b": model.b}}


def _too_little(flags: tuple[Any, ...]) -> Refused:
    why = ", ".join(flag.value for flag in dict.fromkeys(flags)) or "not enough data"
    return Refused(f"there is no model to score with: {why}", field="score")


_WAYS: Final[Mapping[Score, Callable[[Scoring, int, Score], Explanation]]] = {
    Score.RECENCY: _scored,
    Score.FREQUENCY: _scored,
    Score.MONEY: _scored,
    Score.SEGMENT: _scored,
    Score.INDEX: _index,
    Score.ACTIVE: _modelled,
    Score.LAPSE: _modelled,
    Score.EXPECTED: _modelled,
    Score.VALUE: _value,
    Score.DUE: _due,
}
