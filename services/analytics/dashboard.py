"""The dashboard: all that one page says of a base, from one moment of the read model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from services.analytics.base import Base, Month, base, months, newcomers
from services.analytics.intervals import Intervals
from services.analytics.kept import Kept
from services.analytics.population import Population, population
from services.analytics.scope import Question, Scope, currencies, scope
from services.analytics.timing import timing
from shared.projections import Snapshot

LATELY: Final = 30
"""Days that count as lately."""


@dataclass(frozen=True)
class Dashboard:
    """A base up to a day."""

    scope: Scope
    base: Base
    newcomers: int
    intervals: Intervals
    population: Population
    months: list[Month]


def settled(db: Snapshot, question: Question) -> Scope:
    """The scope of a page: where nobody chose a currency, the one with most orders up to that day."""
    if question.currency is None:
        found = currencies(db, question.source, question.as_of) or currencies(db, question.source)
        question = replace(question, currency=next(iter(found), None))
    return scope(db, question)


def dashboard(db: Snapshot, answers: Kept, within: Scope) -> Dashboard:
    """Read all of it."""
    return Dashboard(
        scope=within,
        base=base(db, within),
        newcomers=newcomers(db, within, within.as_of - LATELY),
        intervals=answers.get(db, timing, within).intervals,
        population=answers.get(db, population, within),
        months=months(db, within),
    )
