"""The card of one customer: its facts and the forms that change them; the rest is fetched by the browser."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.contacts import countries, directory, facts, forms, identity, lookup, viewing
from services.contacts.erasing import erasure_of
from services.contacts.forms import Act, Form
from services.contacts.history import history, survivor
from services.contacts.lookup import Card
from services.contacts.pages import may_change
from services.contacts.viewing import SeenFrom
from shared.clock import business_day, date_of
from shared.errors import Refused
from shared.past import NOW, Past
from shared.service import Platform, platform
from shared.web import guard
from shared.web.freshness import freshness
from shared.web.guard import may
from shared.web.past import today
from shared.web.serving import Frame, Here, ask
from shared.web.shell import Fresh, Shell

router = guard.router(include_in_schema=False)


@dataclass(frozen=True)
class Editing:
    """The form that is open on a card.

    Attributes:
        act: What it does.
        point: The number of the contact point that is meant, if it is about one.
        form: What was typed, and what is wrong by field.
        trouble: What went wrong with it as a whole.
        stale: The version that it was opened on, when the customer has changed since.
    """

    act: Act
    point: int
    form: Form
    trouble: str | None = None
    stale: int | None = None


@router.get("/customers/{customer_id}")
@may("signed_in")
async def moved(customer_id: UUID) -> RedirectResponse:
    """Where other services link a customer."""
    return RedirectResponse(f"/contacts/{customer_id}", 307)


@router.get("/{reference:path}")
@may("signed_in")
async def show(
    reference: str,
    request: Request,
    here: Here,
    frame: Frame,
    past: SeenFrom,
    edit: Act | None = None,
    point: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> Response:
    """A customer's card, with `edit` a form open on it; aliases and whoever was absorbed lead to the one who counts.

    Looked at from the past, it is as it was then, and no form opens.
    """
    id_ = _id(reference)
    if id_ is None:
        return await _of_alias(request, here, reference)
    fresh = await freshness(request, directory.family)
    card, counts = await ask(here, directory.family, lambda db: (lookup.find(db, id_), identity.survivor(db, id_)))
    if past.known_at is not None and card is not None:
        counts = await survivor(here.log, id_, past.known_at)
    if counts != id_:
        return _to(counts, request)
    if card is None:
        return await without(request, here, frame, id_, fresh)
    editing = None
    if edit is not None and may_change(request):
        typed = forms.as_it_stands(edit, point, card)
        editing = None if typed is None else Editing(edit, point, Form(version=card.version, typed=typed))
    elif past != NOW:
        return await _earlier(request, here, frame, id_, fresh, past)
    return page(request, here, frame, card, fresh, NOW, editing=editing)


async def _earlier(request: Request, here: Platform, frame: Shell, id_: UUID, fresh: Fresh, past: Past) -> HTMLResponse:
    """The card as it was, or a page that says since when there is one."""
    touched = await ask(here, directory.family, lambda db: lookup.touched(db, id_, past.as_of))
    found = await history(here.log, id_, touched)
    card = None if found is None else found.card(past)
    if found is None or card is None:
        since = None if found is None else found.since()
        how = _how(request, past)
        return frame.page(request, "contacts/before.html", status_code=404, id=id_, since=since, fresh=fresh, **how)
    return page(request, here, frame, card, fresh, past, since=found.since())


def page(
    request: Request,
    here: Platform,
    frame: Shell,
    card: Card,
    fresh: Fresh,
    past: Past,
    *,
    since: int | None = None,
    editing: Editing | None = None,
    status_code: int = 200,
) -> HTMLResponse:
    """The card seen from a point; `since` is the first day there is of the customer, where it is known better."""
    _, formats = frame.gettext(request), frame.formats(request)
    known = countries.named(formats.locale)
    shown = facts.of(card, known, here.log.timezone, _)
    after = request.query_params.get("after")
    also = {"after": after} if after else {}
    asked = viewing.asked(past)
    return frame.page(
        request,
        "contacts/card.html",
        status_code=status_code,
        customer=card,
        since=_since(card, here) if since is None else since,
        facts=shown,
        editing=editing,
        changed=facts.changed_since(shown, editing.stale) if editing and editing.stale is not None else [],
        may_change=may_change(request) and past == NOW,
        countries=known,
        words=facts,
        asked=urlencode(asked),
        asked_after=f"?{urlencode((asked if past != NOW else {}) | also)}" if after or past != NOW else "",
        fresh=fresh,
        today=today(here),
        **_how(request, past),
    )


def _how(request: Request, past: Past) -> dict[str, Any]:
    """What a page says of the point it looks from; the moment as it was typed."""
    typed = request.query_params.get("known_at", "") if past.known_at is not None else ""
    return {"past": past if past != NOW else None, "known": typed, "zone": platform(request).log.timezone}


async def _of_alias(request: Request, here: Platform, alias: str) -> Response:
    await freshness(request, directory.family)
    found = await ask(here, directory.family, lambda db: lookup.resolve(db, alias))
    if found is None:
        raise Refused("no such customer", kind="missing")
    return _to(found, request)


def _to(id_: UUID, request: Request) -> RedirectResponse:
    query = request.url.query
    return RedirectResponse(f"/contacts/{id_}{'?' if query else ''}{query}", 307)


async def without(request: Request, here: Platform, frame: Shell, id_: UUID, fresh: Fresh) -> HTMLResponse:
    """The page of a customer that the directory does not have: erased, not there yet, or none."""
    erasure = await erasure_of(here.log, id_)
    if erasure is not None:
        day = business_day(datetime.fromisoformat(erasure.meta.recorded_at), here.log.timezone)
        return frame.page(request, "contacts/erased.html", status_code=410, day=date_of(day), fresh=fresh)
    if fresh.behind:
        return frame.page(request, "contacts/not_yet.html", status_code=202, fresh=fresh)
    raise Refused("no such customer", kind="missing")


def _id(reference: str) -> UUID | None:
    try:
        return UUID(reference)
    except ValueError:
        return None


def _since(card: Card, here: Platform) -> int:
    """The business day of the first order or of the registration, whichever was earlier."""
    registered = business_day(datetime.fromisoformat(card.registered_at), here.log.timezone)
    return registered if card.first_order is None else min(registered, card.first_order)
