"""The figures behind the plots as CSV: plain and unrounded, the same ones that the pages draw."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import Query, Request
from fastapi.responses import Response

from services.analytics import (
    cohorts_page,
    customers_page,
    intervals_figures,
    intervals_page,
    loyalty_page,
    movements_page,
    value_page,
)
from services.analytics.base import months
from services.analytics.customers_page import Selected
from services.analytics.dashboard import settled
from services.analytics.figures import Rows, interval_rows, revenue_rows, segment_rows
from services.analytics.intervals_page import Narrowed, Narrowing
from services.analytics.kept import Kept, kept
from services.analytics.movement import portfolio
from services.analytics.population import population
from services.analytics.purchase_days import family
from services.analytics.question import Viewed
from services.analytics.scope import Scope
from services.analytics.scoring import Scoring, scoring
from services.analytics.selection import Selection
from services.analytics.timing import timing
from shared.clock import date_of
from shared.projections import Snapshot
from shared.web import guard
from shared.web.guard import may
from shared.web.serving import Here, read

router = guard.router(include_in_schema=False)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


class Table(StrEnum):
    """What can be had as CSV."""

    INTERVALS = "intervals"
    SEGMENTS = "segments"
    REVENUE = "revenue"
    PACE = "pace"
    SURVIVAL = "survival"
    DUE = "due"
    INDEX = "index"
    SCORES = "scores"
    CUSTOMERS = "customers"
    VALUE = "value"
    SPREAD = "spread"
    LAPSES = "lapses"
    COHORTS = "cohorts"
    MOVEMENTS = "movements"


@dataclass(frozen=True)
class Asked:
    """What a table is asked for, and where its answers are.

    Attributes:
        db: The moment of the read model.
        answers: What is kept of it.
        scope: Day, source and currency.
        narrowed: Only this product or category, where a table knows products.
        first: The first of two days.
        wanted: Only these customers, where a table lists them.
    """

    db: Snapshot
    answers: Kept
    scope: Scope
    narrowed: Narrowing
    first: int
    wanted: Selection

    @property
    def currency(self) -> str:
        """The currency of all money."""
        return self.scope.currency or ""

    @property
    def scored(self) -> Scoring:
        """The base with all its scores."""
        return self.answers.renewed(self.db, scoring, self.scope)

    @property
    def paces(self) -> intervals_figures.Paces:
        """How fast its customers come back."""
        return intervals_page.paces(self.db, self.answers, self.scope, self.narrowed)


ROWS: Final[Mapping[Table, Callable[[Asked], Rows]]] = {
    Table.INTERVALS: lambda it: interval_rows(it.answers.get(it.db, timing, it.scope).intervals),
    Table.SEGMENTS: lambda it: segment_rows(it.answers.get(it.db, population, it.scope), it.currency),
    Table.REVENUE: lambda it: revenue_rows(months(it.db, it.scope), it.currency),
    Table.PACE: lambda it: intervals_figures.expected_rows(it.paces),
    Table.SURVIVAL: lambda it: intervals_figures.survival_rows(it.paces.survival),
    Table.DUE: lambda it: intervals_figures.due_rows(
        intervals_page.what_is_due(it.db, it.answers, it.scope, it.narrowed)
    ),
    Table.INDEX: lambda it: loyalty_page.index_rows(it.scored),
    Table.SCORES: lambda it: loyalty_page.score_rows(it.scored.population.ranking),
    Table.CUSTOMERS: lambda it: customers_page.member_rows(it.scored, it.wanted, it.currency),
    Table.VALUE: lambda it: value_page.value_rows(portfolio(it.scored), it.currency),
    Table.SPREAD: lambda it: value_page.spread_rows(it.scored),
    Table.LAPSES: lambda it: value_page.lapse_rows(it.scored),
    Table.COHORTS: lambda it: cohorts_page.cohort_rows(cohorts_page.read_cohorts(it.db, it.answers, it.scope)),
    Table.MOVEMENTS: lambda it: movements_page.movement_rows(
        movements_page.read_movement(it.db, it.answers, it.scope, it.first)
    ),
}


@router.get("/csv/{table}")
@may("analyst", "manager", "specialist")
async def as_csv(
    request: Request,
    here: Here,
    viewed: Viewed,
    table: Table,
    wanted: Selected,
    narrowed: Narrowed,
    first_day: Annotated[str, Query(alias="from")] = "",
) -> Response:
    """The figures behind one plot."""
    answers, first = kept(here.models), movements_page.first_day(first_day, viewed.as_of)

    def rows(db: Snapshot) -> list[tuple[Any, ...]]:
        return list(ROWS[table](Asked(db, answers, settled(db, viewed), narrowed, first, wanted)))

    text = io.StringIO()
    csv.writer(text).writerows(map(_cells, await read(request, family, rows)))
    name = f"{table.value}-{date_of(viewed.as_of).isoformat()}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _cells(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row whose texts no spreadsheet takes for formulas."""
    return tuple(f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell for cell in row)
