"""Interactions over HTTP: record one, correct it, read them."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from services.interactions import changing, interactions
from services.interactions.changing import answers
from services.interactions.filters import KindFilter, LineFilter
from services.interactions.interaction import CorrectInteraction, NewInteraction
from services.interactions.interactions import InteractionDetail, InteractionSummary
from services.interactions.timeline import Between, Line, family, of_customer
from shared.errors import Refused
from shared.web import command_route
from shared.web.bodies import Sent
from shared.web.commands import Accepted, Asked, Expected, etag
from shared.web.cursors import Cursor, Limit, encode
from shared.web.guard import may
from shared.web.past import AskedPast
from shared.web.serving import Here, read
from shared.web.tokens import After

router = command_route.router(prefix="/api/v1", tags=["interactions"])


class InteractionPage(BaseModel):
    """Interactions, newest first; `next` is the cursor of the next page."""

    interactions: list[InteractionSummary]
    next: str | None


class TimelinePage(BaseModel):
    """What happened with a customer, newest first; `next` is the cursor of the next page."""

    lines: list[Line]
    next: str | None


@router.post("/interactions", status_code=201)
@may("specialist", "manager")
async def record_interaction(body: Sent[NewInteraction], here: Here, asked: Asked, response: Response) -> Accepted:
    """Record a contact that took place; `occurred_at` is when."""
    interaction_id, outcome = await changing.record(here.log, body, asked)
    return answers(here).answer(outcome, interaction_id, response)


@router.post("/interactions/{interaction_id}/correct")
@may("specialist", "manager")
async def correct_interaction(
    interaction_id: UUID,
    body: Sent[CorrectInteraction],
    here: Here,
    asked: Asked,
    expected: Expected,
    response: Response,
) -> Accepted:
    """Put right what was recorded; what is left out stays."""
    outcome = await changing.correct(here.log, interaction_id, body, asked, expected)
    return answers(here).answer(outcome, interaction_id, response)


@router.get("/interactions")
@may("signed_in")
async def list_interactions(
    request: Request,
    cursor: Cursor,
    kind: KindFilter,
    after: After,
    customer: UUID | None = None,
    limit: Limit = 50,
) -> InteractionPage:
    """Interactions as they stand after all corrections, newest first."""
    rows, place = await read(
        request,
        family,
        lambda db: interactions.listed(db, customer_id=customer, kind=kind, behind=cursor, limit=limit),
        after=after,
    )
    return InteractionPage(interactions=rows, next=encode(place) if place else None)


@router.get("/interactions/{interaction_id}")
@may("signed_in")
async def one_interaction(
    interaction_id: UUID, request: Request, response: Response, after: After
) -> InteractionDetail:
    """One interaction with all that was said of it."""
    found = await read(request, family, lambda db: interactions.found(db, interaction_id), after=after)
    if found is None:
        raise Refused("no such interaction", kind="missing")
    response.headers["ETag"] = etag(found.version)
    return found


@router.get("/customers/{customer_id}/timeline")
@may("signed_in")
async def customer_timeline(
    customer_id: UUID,
    request: Request,
    here: Here,
    cursor: Cursor,
    kind: LineFilter,
    after: After,
    past: AskedPast,
    limit: Limit = 50,
) -> TimelinePage:
    """Everything that happened with a customer, newest first: as it is, or as of a day or a moment of recording."""
    between = Between(past, timezone=here.log.timezone)
    rows, place = await read(
        request,
        family,
        lambda db: of_customer(db, customer_id, kind=kind, between=between, behind=cursor, limit=limit),
        after=after,
    )
    return TimelinePage(lines=rows, next=encode(place) if place else None)
