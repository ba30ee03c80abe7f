"""The pages of analytics: how loyal the base is, what the figures mean, and the figures as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from services.analytics import figures
from services.analytics.base import months
from services.analytics.dashboard import LATELY, Dashboard, dashboard, settled
from services.analytics.kept import kept
from services.analytics.loyalty import SEGMENTS
from services.analytics.population import population
from services.analytics.purchase_days import EVERYBODY, family
from services.analytics.question import Viewed, remember, today
from services.analytics.timing import timing
from services.analytics.words import Reader
from shared.clock import date_of
from shared.projections import Snapshot
from shared.web import guard
from shared.web.freshness import freshness
from shared.web.guard import may
from shared.web.serving import Frame, Here, ask, read

router = guard.router(include_in_schema=False)
PAGE: Final = "/analytics/"


class Table(StrEnum):
    """What can be had as CSV."""

    INTERVALS = "intervals"
    SEGMENTS = "segments"
    REVENUE = "revenue"


@router.get("/")
@may("analyst", "manager", "specialist")
async def loyalty_of_the_base(request: Request, here: Here, frame: Frame, viewed: Viewed) -> HTMLResponse:
    """How loyal the base is, as of a day."""
    answers = kept(here.models)
    fresh = await freshness(request, family)
    found = await ask(here, family, lambda db: dashboard(db, answers, viewed))
    answer = frame.page(
        request,
        "analytics/dashboard.html",
        found=found,
        as_of=date_of(viewed.as_of),
        is_today=viewed.as_of == today(here),
        lately=LATELY,
        fresh=fresh,
        **_choices(found, frame.gettext(request)),
        **(_figures(found, Reader.of(request)) if found.base.orders else {}),
    )
    remember(request, answer, viewed, here)
    return answer


@router.get("/definitions")
@may("signed_in")
async def definitions(request: Request, frame: Frame) -> HTMLResponse:
    """What each figure means and how it is computed."""
    return frame.page(request, "analytics/definitions.html", segments=[segment.value for segment in SEGMENTS])


@router.get("/csv/{table}")
@may("analyst", "manager", "specialist")
async def as_csv(request: Request, here: Here, viewed: Viewed, table: Table) -> Response:
    """The figures behind one plot, plain and unrounded."""
    answers = kept(here.models)

    def rows(db: Snapshot) -> figures.Rows:
        scope = settled(db, viewed)
        currency = scope.currency or ""
        match table:
            case Table.INTERVALS:
                return figures.interval_rows(answers.get(db, timing, scope).intervals)
            case Table.SEGMENTS:
                return figures.segment_rows(answers.get(db, population, scope), currency)
            case Table.REVENUE:
                return figures.revenue_rows(months(db, scope), currency)

    text = io.StringIO()
    csv.writer(text).writerows(await read(request, family, rows))
    name = f"{table.value}-{date_of(viewed.as_of).isoformat()}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _choices(found: Dashboard, _: Callable[[str], str]) -> dict[str, Any]:
    """Chips for the sources and the currencies, and the choice itself for links and forms."""
    scope = found.scope
    chosen = {"as_of": date_of(scope.as_of).isoformat(), "source": scope.source, "currency": scope.currency}

    def way(path: str = PAGE, **changes: str | None) -> str:
        return f"{path}?{urlencode({name: value for name, value in (chosen | changes).items() if value})}"

    names = [(EVERYBODY, _("All sources")), *((name, name) for name in found.sources)]
    return {
        "chosen": chosen,
        "csv": {table.value: way(f"{PAGE}csv/{table.value}") for table in Table},
        "source_chips": [(text, way(source=name, currency=None), name == scope.source, None) for name, text in names],
        "currency_chips": [(code, way(currency=code), code == scope.currency, None) for code in found.currencies],
    }


def _figures(found: Dashboard, reader: Reader) -> dict[str, Any]:
    currency = found.scope.currency or ""
    return {
        "interval_figure": figures.interval_figure(found.intervals, reader) if found.intervals.n else None,
        "segment_figure": figures.segment_figure(found.population, currency, reader),
        "revenue_figure": figures.revenue_figure(found.months, currency, reader),
    }
