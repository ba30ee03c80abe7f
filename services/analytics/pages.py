"""The overview of analytics: how loyal the base is; and what all figures mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.analytics import figures
from services.analytics.dashboard import LATELY, dashboard
from services.analytics.insights import Choices, Tab, insight
from services.analytics.kept import kept
from services.analytics.loyalty import SEGMENTS
from services.analytics.question import Viewed
from shared.projections import Snapshot
from shared.web import guard
from shared.web.guard import may
from shared.web.serving import Frame, Here

router = guard.router(include_in_schema=False)


@router.get("/")
@may("analyst", "manager", "specialist")
async def loyalty_of_the_base(request: Request, here: Here, frame: Frame, viewed: Viewed) -> HTMLResponse:
    """How loyal the base is, as of a day."""
    answers = kept(here.models)

    def compose(db: Snapshot, choices: Choices) -> Mapping[str, Any]:
        found = dashboard(db, answers, choices.ground.scope)
        currency, reader = found.scope.currency or "", choices.reader
        return {
            "found": found,
            "lately": LATELY,
            "interval_figure": figures.interval_figure(found.intervals, reader) if found.intervals.n else None,
            "segment_figure": figures.segment_figure(found.population, currency, reader),
            "revenue_figure": figures.revenue_figure(found.months, currency, reader),
        }

    return await insight(request, here, frame, viewed, Tab.OVERVIEW, compose)


@router.get("/definitions")
@may("signed_in")
async def definitions(request: Request, frame: Frame) -> HTMLResponse:
    """What each figure means and how it is computed."""
    segments = [segment.value for segment in SEGMENTS]
    return frame.page(request, "analytics/definitions.html", segments=segments)
