"""Fragments: what analytics knows of customers, for the pages of other services to fetch."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.analytics import evidence
from services.analytics.customer_page import Sight, line, sight
from services.analytics.explain import Score
from services.analytics.figures import rhythm_figure
from services.analytics.kept import kept
from services.analytics.known import Known, known
from services.analytics.loyalty_page import FEW
from services.analytics.passages import passages
from services.analytics.profile import profiles
from services.analytics.purchase_days import family
from services.analytics.question import Viewed
from services.analytics.scope import Question
from services.analytics.words import Reader
from shared.errors import Refused
from shared.service import Platform
from shared.web import guard
from shared.web.guard import may
from shared.web.past import KnownAt
from shared.web.serving import Frame, Here, read

router = guard.router(prefix="/fragments", include_in_schema=False)
MOST_CUSTOMERS: Final = 200
LAST_INTERVALS: Final = 12
"""How many intervals a cell of a list shows."""


@router.get("/customers")
@may("signed_in")
async def cells(
    request: Request, here: Here, frame: Frame, viewed: Viewed, ids: Annotated[str, Query(max_length=8_000)] = ""
) -> HTMLResponse:
    """Cells for the rows of a list of customers, swapped in by their ids."""
    customers = _customers(ids)
    answers = kept(here.models)
    found = await read(request, family, lambda db: profiles(db, answers, customers, viewed))
    return frame.fragment(
        request, "analytics/cells.html", profiles=list(found.values()), reader=Reader.of(request), shown=LAST_INTERVALS
    )


@router.get("/customers/{customer}/rhythm")
@may("signed_in")
async def rhythm(
    request: Request, here: Here, frame: Frame, viewed: Viewed, customer: UUID, known_at: KnownAt
) -> HTMLResponse:
    """The purchase days of one customer, and when the next is due; with `known_at` as far as was known by then."""
    if known_at is not None:
        told = await _known(request, customer, viewed, known_at)
        figure = rhythm_figure(told.profile, Reader.of(request)) if told.profile.rhythm.days else None
        return frame.fragment(request, "analytics/rhythm.html", figure=figure, seen=None)
    seen, reader = await _sight(request, here, customer, viewed), Reader.of(request)
    found = seen.profile
    figure = rhythm_figure(found, reader, seen.opened(Score.DUE)) if found.rhythm.days else None
    return frame.fragment(request, "analytics/rhythm.html", figure=figure, seen=seen)


@router.get("/customers/{customer}/loyalty")
@may("signed_in")
async def loyalty(
    request: Request, here: Here, frame: Frame, viewed: Viewed, customer: UUID, known_at: KnownAt
) -> HTMLResponse:
    """The scores and the segment of one customer, with the reasons; with `known_at` why there are none."""
    if known_at is not None:
        told = await _known(request, customer, viewed, known_at)
        return frame.fragment(request, "analytics/known_money.html", told=told, profile=told.profile)
    seen, reader = await _sight(request, here, customer, viewed), Reader.of(request)
    found = seen.profile
    given = found.standing.reasons if found.standing else ()
    reasons = [reader.reason(reason, found.currency or "") for reason in given]
    passed = await passages(here, seen.members, found.currency or "", viewed.as_of, reader)
    return frame.fragment(
        request,
        "analytics/standing.html",
        profile=found,
        reasons=reasons,
        few=FEW,
        last=passed[0] if passed else None,
        seen=seen,
        lines=[line(seen, score, reader) for score in (Score.INDEX, Score.LAPSE, Score.VALUE)],
    )


async def _known(request: Request, customer: UUID, viewed: Question, position: int) -> Known:
    return await read(request, evidence.family, lambda db: known(db, customer, viewed, position))


async def _sight(request: Request, here: Platform, customer: UUID, viewed: Question) -> Sight:
    answers = kept(here.models)
    return await read(request, family, lambda db: sight(db, answers, customer, viewed))


def _customers(ids: str) -> list[UUID]:
    try:
        found = list(dict.fromkeys(UUID(id_) for id_ in ids.split(",") if id_))
    except ValueError:
        raise Refused("must be ids of customers, separated by commas", field="ids") from None
    if len(found) > MOST_CUSTOMERS:
        raise Refused(f"must be at most {MOST_CUSTOMERS} ids", field="ids")
    return found
