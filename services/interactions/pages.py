"""The lists of interactions: the latest over all customers, and a customer's timeline for the customer's card."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Query
from starlette.requests import Request
from starlette.responses import HTMLResponse

from services.interactions import interactions, timeline, words
from services.interactions.filters import KindFilter, LineFilter
from services.interactions.lines import LineKind
from services.interactions.timeline import Between
from shared.past import NOW, Past
from shared.projections import Snapshot
from shared.service import Platform
from shared.web import guard
from shared.web.cursors import Cursor, encode
from shared.web.freshness import freshness
from shared.web.guard import may
from shared.web.i18n import N_
from shared.web.past import AskedPast, day_of, moment_of
from shared.web.serving import Frame, Here, ask, read

router = guard.router(include_in_schema=False)
RECORDERS: Final = frozenset({"specialist", "manager", "admin"})
_HOME: Final = "/interactions/"


@router.get("/")
@may("signed_in")
async def latest(
    request: Request, here: Here, frame: Frame, cursor: Cursor, kind: KindFilter, customer: UUID | None = None
) -> HTMLResponse:
    """The latest interactions, by kind or customer."""
    _ = frame.gettext(request)
    fresh = await freshness(request, timeline.family)
    rows, place = await ask(
        here,
        timeline.family,
        lambda db: interactions.listed(db, customer_id=customer, kind=kind, behind=cursor),
    )
    filters = {"customer": customer, "kind": kind}
    choices: list[tuple[str | None, str]] = [(None, N_("All")), *words.KINDS.items()]
    return frame.page(
        request,
        "interactions/latest.html",
        interactions=rows,
        chips=[(_(label), _address(_HOME, filters | {"kind": value}), value == kind, None) for value, label in choices],
        customer=customer,
        filtered=any(value is not None for value in filters.values()),
        may_record=may_record(request),
        first=_address(_HOME, filters) if cursor else None,
        next=_address(_HOME, filters | {"cursor": encode(place)}) if place else None,
        **labels(),
        fresh=fresh,
    )


@router.get("/fragments/customers/{customer_id}/timeline")
@may("signed_in")
async def customer_timeline(
    request: Request,
    customer_id: UUID,
    here: Here,
    frame: Frame,
    cursor: Cursor,
    kind: LineFilter,
    past: AskedPast,
    first: Annotated[str, Query(alias="from")] = "",
) -> HTMLResponse:
    """A part of a customer's timeline, for the card that contacts shows; with `cursor`, only the lines that follow.

    Seen from a point in the past, and with `from` only what came after an earlier one of the same kind.
    """
    _ = frame.gettext(request)
    between = Between(past, await _earlier(here, first, past) if first else None, here.log.timezone)

    def question(db: Snapshot) -> tuple[Any, ...]:
        return (
            *timeline.of_customer(db, customer_id, kind=kind, between=between, behind=cursor),
            timeline.counts(db, customer_id, between),
        )

    lines, place, counts = await read(request, timeline.family, question)
    part = f"{_HOME}fragments/customers/{customer_id}/timeline"
    asked = {name: request.query_params.get(name) for name in ("from", "as_of", "known_at")}
    choices: list[tuple[LineKind | None, str, int]] = [
        (None, N_("All"), sum(counts.values())),
        *((value, words.LINE_KINDS[value], count) for value, count in counts.items()),
    ]
    return frame.fragment(
        request,
        "interactions/more.html" if cursor else "interactions/timeline.html",
        lines=[words.tell(line, frame.formats(request), _) for line in lines],
        chips=[
            (_(label), _address(part, asked | {"kind": value}), value == kind, count) for value, label, count in choices
        ],
        next=_address(part, asked | {"kind": kind, "cursor": encode(place)}) if place else None,
        customer_id=customer_id,
        may_record=may_record(request) and past == NOW,
        between=bool(first),
        past=past != NOW,
    )


async def _earlier(here: Platform, first: str, past: Past) -> Past:
    """The point after which lines are asked for: a day where the later one is a day."""
    if past.known_at is None:
        return Past(as_of=day_of(here, "from", first))
    return Past(known_at=await moment_of(here, "from", first))


def may_record(request: Request) -> bool:
    """Whether the reader may record and correct interactions."""
    return guard.principal(request).role in RECORDERS


def labels() -> dict[str, Any]:
    """What templates need to name a kind and a direction."""
    return {"kinds": words.KINDS, "directions": words.DIRECTIONS, "pictures": words.PICTURES}


def _address(path: str, query: dict[str, Any]) -> str:
    said = {name: str(value) for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(said)}" if said else path
