"""The page of cohorts: of the customers who first bought in a month, how many bought in each month after it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.analytics.cohorts import Cohort, Cohorts
from services.analytics.figures import Rows
from services.analytics.heat import Cell, Heat, Row, level
from services.analytics.histories import histories
from services.analytics.insights import Choices, Tab, insight
from services.analytics.kept import Kept, kept
from services.analytics.movement import cohorts
from services.analytics.question import Viewed
from services.analytics.scope import Scope
from services.analytics.words import Reader
from shared.clock import date_of
from shared.projections import Snapshot
from shared.web import guard
from shared.web.guard import may
from shared.web.serving import Frame, Here

router = guard.router(include_in_schema=False)
_MONTHS: Final = 12
_SHOWN: Final = 36
"""Months that the table reaches, down and to the right; the CSV holds all."""


@router.get("/cohorts")
@may("analyst", "manager", "specialist")
async def months(request: Request, here: Here, frame: Frame, viewed: Viewed) -> HTMLResponse:
    """Who comes back how long after the first order."""
    answers = kept(here.models)

    def compose(db: Snapshot, choices: Choices) -> Mapping[str, Any]:
        found = read_cohorts(db, answers, choices.ground.scope)
        return {"heat": heat(found, choices), "found": found}

    return await insight(request, here, frame, viewed, Tab.COHORTS, compose)


def read_cohorts(db: Snapshot, answers: Kept, scope: Scope) -> Cohorts:
    """The cohorts of a scope."""
    return cohorts(answers.get(db, histories, scope), scope.as_of)


def heat(found: Cohorts, choices: Choices) -> Heat:
    """The cohorts as a table of shares; there is at least one."""
    _, formats = choices.reader.words.gettext, choices.reader.formats
    shown, width = found.rows[-_SHOWN:], min(len(found.rows[0].active), _SHOWN + 1)
    later = [share for row in shown for share in row.retention[1:width] if share is not None]
    ages = tuple(formats.number(age) for age in range(1, width))
    rows = tuple(
        Row(
            formats.date(month(row.month), "LLL y"),
            (formats.number(row.size),),
            tuple(_cell(row, age, max(later, default=0.0), choices) for age in range(1, width)),
        )
        for row in shown
    )
    note = _("Per cent of each month's new customers who bought again, by months since the first order.")
    columns = (_("first order"), _("customers"), *ages)
    return Heat(_message(found, choices.reader), f"{note} {_unfinished(choices)}".strip(), columns, 2, rows)


def month(number: int) -> date:
    """The first day of a month counted from January 1970."""
    return date(1970 + number // _MONTHS, number % _MONTHS + 1, 1)


def cohort_rows(found: Cohorts) -> Rows:
    """The cohorts as plain figures, under their names; empty where the history does not reach."""
    yield "first_month", "customers", *(f"month_{age}" for age in range(len(found.rows[0].active) if found.rows else 0))
    for row in found.rows:
        yield month(row.month).isoformat()[:7], row.size, *row.active


def _cell(row: Cohort, age: int, largest: float, choices: Choices) -> Cell | None:
    count = row.active[age]
    if count is None:
        return None
    _, formats = choices.reader.words.gettext, choices.reader.formats
    first, then = month(row.month), month(row.month + age)
    told = {"count": formats.number(count), "all": formats.number(row.size), "month": formats.date(then, "LLLL y")}
    tip = _("%(count)s of %(all)s bought in %(month)s") % told
    href = choices.customers(first=first.isoformat()[:7], active=then.isoformat()[:7]) if count else None
    last = date_of(choices.ground.scope.as_of)
    grows = (then.year, then.month) == (last.year, last.month) and (last + timedelta(days=1)).day != 1
    share = count / row.size
    return Cell(formats.number(100 * share, 0), level(share, largest), tip, href, grows)


def _message(found: Cohorts, reader: Reader) -> str:
    _, retention = reader.words.gettext, found.retention
    if len(retention) <= 1:
        return _("The first month is not over yet")
    told = {"share": reader.formats.percent(retention[1] or 0)}
    return _("%(share)s of new customers buy again in the month after their first") % told


def _unfinished(choices: Choices) -> str:
    """Which month can still grow."""
    last = date_of(choices.ground.scope.as_of)
    if (last + timedelta(days=1)).day == 1:
        return ""
    told = {"month": choices.reader.formats.date(last, "LLLL y")}
    return choices.reader.words.gettext("%(month)s is not over: the last figure of each row can still grow.") % told
