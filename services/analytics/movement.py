"""How a base moves: between segments, from first month to last, and what it is worth by segment."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from services.analytics.cohorts import Cohorts
from services.analytics.histories import Histories, IntArray
from services.analytics.loyalty import SEGMENTS, Purchases, Ranking
from services.analytics.migration import ABSENT, Migration
from services.analytics.scoring import TERMS, Scoring
from services.analytics.survival import Survival
from services.analytics.value import Concentration


def movement(some: Histories, first: int, last: int) -> Migration:
    """Where the customers of each segment went between two days."""
    return Migration.of(segments_on(some, first), segments_on(some, last))


def cohorts(some: Histories, as_of: int) -> Cohorts:
    """The customers by the month of their first purchase, and the months in which they came back."""
    whose, month = some.whose[some.purchases], month_of(some.day[some.purchases])
    last = int(month_of(np.array([as_of]))[0])
    first = month[np.flatnonzero(np.diff(whose, prepend=-1))]
    of_customer = np.zeros(len(some.customers), np.int64)
    of_customer[some.bought.who] = first
    seen = set(zip(whose.tolist(), month.tolist(), strict=True))
    counts = Counter((int(of_customer[customer]), each) for customer, each in seen)
    return Cohorts.of(((begun, each, customers) for (begun, each), customers in counts.items()), last)


def survival(some: Histories, as_of: int) -> Survival:
    """How many customers have not come back, by days since their first purchase."""
    bought = some.bought
    whose, lengths = some.intervals
    firsts = np.flatnonzero(np.diff(whose, prepend=-1))
    waited = np.full(len(some.customers), -1, np.int64)
    waited[whose[firsts]] = lengths[firsts]
    back = waited[bought.who]
    days = np.where(back >= 0, back, as_of - bought.first)
    rows = Counter(zip(days.tolist(), (back >= 0).tolist(), strict=True))
    return Survival.of((day, returned, customers) for (day, returned), customers in rows.items())


def portfolio(scored: Scoring) -> dict[str, Any]:
    """What the base is worth so far and, where models carry it, in the year to come."""
    gross, value = scored.bought.gross, scored.value
    spread = scored.concentration
    lifetime = None
    if value is not None:
        whole = Concentration.of(value)
        lifetime = {
            "total_minor": round(whole.total),
            "top20_share": whole.top_share,
            "gini": whole.gini,
            "by_segment": _by_segment(scored, value),
            "basis": TERMS.basis.value,
            "weeks": TERMS.weeks,
            "discount": TERMS.discount,
            "model": scored.model_name,
        }
    return {
        "n": spread.n,
        "total_minor": int(gross.sum()),
        "top20_share": spread.top_share,
        "gini": spread.gini,
        "by_segment": _by_segment(scored, gross),
        "lifetime": lifetime,
    }


def _by_segment(scored: Scoring, values: Any) -> dict[str, int]:
    return {name.value: round(float(values[scored.segments == code].sum())) for code, name in enumerate(SEGMENTS)}


def segments_on(some: Histories, day: int) -> IntArray:
    """The segment of each customer on a day, as an index into SEGMENTS, or ABSENT."""
    some = some.until(day)
    bought = some.bought
    purchases = Purchases(bought.last, bought.days, bought.gross)
    segments = np.full(len(some.customers), ABSENT, np.int64)
    segments[bought.who] = Ranking.of(purchases, day).segments(purchases)
    return segments


def month_of(days: IntArray) -> IntArray:
    """Months since January 1970 of business days."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
