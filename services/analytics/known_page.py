"""The page of one customer as far as was known at a position: the purchases, and the events behind them."""

from __future__ import annotations

from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.analytics import evidence
from services.analytics.figures import rhythm_figure
from services.analytics.known import known
from services.analytics.scope import Question
from services.analytics.words import FACT_NAMES, Reader
from shared.service import Platform
from shared.web.freshness import freshness
from shared.web.guard import principal
from shared.web.serving import ask
from shared.web.shell import Shell


async def page(
    request: Request, here: Platform, frame: Shell, customer: UUID, viewed: Question, position: int
) -> HTMLResponse:
    """The page, for the route that shows customers."""
    fresh = await freshness(request, evidence.family)
    told = await ask(here, evidence.family, lambda db: known(db, customer, viewed, position))
    return frame.page(
        request,
        "analytics/known.html",
        told=told,
        figure=rhythm_figure(told.profile, Reader.of(request)) if told.profile.rhythm.days else None,
        kinds=FACT_NAMES,
        most=evidence.MOST,
        may_read=principal(request).role in evidence.READERS,
        fresh=fresh,
    )
