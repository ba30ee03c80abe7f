"""The card of one customer: its facts and the forms that change them; the rest is fetched by the browser."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Form as Field
from fastapi import Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.contacts import countries, directory, facts, forms, identity, lookup, viewing
from services.contacts.changing import answers, edit
from services.contacts.customer import Edit
from services.contacts.erasing import erasure_of
from services.contacts.forms import Act, Form, new_key
from services.contacts.lookup import Card
from services.contacts.pages import may_change
from services.contacts.viewing import Viewed
from shared.clock import business_day, date_of
from shared.errors import Refused, Reused, Stale, TooFarBehind
from shared.service import Platform
from shared.web import guard
from shared.web.commands import context_of
from shared.web.freshness import freshness
from shared.web.guard import may
from shared.web.i18n import N_
from shared.web.serving import Frame, Here, ask
from shared.web.shell import Fresh, Shell

router = guard.router(include_in_schema=False)
_API: Final = "/contacts/api/v1/customers"
_SENT_BEFORE: Final = N_("This form was sent before with other content. See what is recorded before you send it again.")
_STALE: Final = N_("Somebody changed this customer since you opened the form. See what is new, then send it again.")


class Typed(BaseModel):
    """What a form of the card sends; each act reads the fields of its own."""

    key: str
    version: int
    point: int = 0
    name: str = ""
    kind: str = ""
    country: str = ""
    channel: str = ""
    value: str = ""
    purpose: str = ""
    lines: str = ""
    postal_code: str = ""
    city: str = ""


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
    edit: Act | None = None,
    point: Annotated[int, Query(ge=0, le=2**31)] = 0,
    viewed: Viewed = None,
) -> Response:
    """A customer's card, with `edit` a form open on it; aliases and whoever was absorbed lead to the one who counts."""
    id_ = _id(reference)
    if id_ is None:
        return await _of_alias(request, here, reference)
    fresh = await freshness(request, directory.family)
    card, survivor = await ask(here, directory.family, lambda db: (lookup.find(db, id_), identity.survivor(db, id_)))
    if survivor != id_:
        return _to(survivor, request)
    if card is None:
        return await _without(request, here, frame, id_, fresh)
    editing = None
    if edit is not None and may_change(request):
        typed = forms.as_it_stands(edit, point, card)
        editing = None if typed is None else Editing(edit, point, Form(version=card.version, typed=typed))
    return _page(request, here, frame, card, fresh, viewed, editing)


@router.post("/{customer_id}/{act}")
@may("specialist", "manager")
async def change(
    customer_id: UUID,
    act: Act,
    request: Request,
    here: Here,
    frame: Frame,
    sent: Annotated[Typed, Field()],
    viewed: Viewed = None,
) -> Response:
    """Change what the form says, or show it again on the card with what to put right."""
    _ = frame.gettext(request)
    typed = sent.model_dump(exclude={"key", "version", "point"})
    editing = Editing(act, sent.point, Form(sent.key, sent.version, typed))
    command = forms.edit(act, sent.point, typed, _)
    if isinstance(command, dict):
        status, editing = 422, replace(editing, form=replace(editing.form, errors=command))
    else:
        try:
            return await _changed(request, here, customer_id, editing, command)
        except Reused:
            form = replace(editing.form, key=new_key())
            status, editing = 422, replace(editing, form=form, trouble=_(_SENT_BEFORE))
        except Stale:
            status, editing = 412, replace(editing, trouble=_(_STALE), stale=sent.version)
            await _caught_up(here)
        except Refused as refusal:
            form = replace(editing.form, errors=forms.refused(refusal, typed, _))
            trouble = None if form.errors else refusal.message
            status, editing = 422, replace(editing, form=form, trouble=trouble)
    fresh = await freshness(request, directory.family)
    card = await ask(here, directory.family, lambda db: lookup.find(db, customer_id))
    if card is None:
        return await _without(request, here, frame, customer_id, fresh)
    if editing.stale is not None:
        editing = replace(editing, form=replace(editing.form, version=card.version))
    return _page(request, here, frame, card, fresh, viewed, editing, status)


async def _changed(request: Request, here: Platform, id_: UUID, editing: Editing, command: Edit) -> Response:
    route = {
        "add": "contact-points",
        "correct": f"contact-points/{editing.point}/correct",
        "remove": f"contact-points/{editing.point}/remove",
    }.get(editing.act, editing.act)
    context = context_of(request, editing.form.key, f"{_API}/{id_}/{route}")
    outcome = await edit(here.log, id_, command, context, editing.form.version)
    return RedirectResponse(f"/contacts/{id_}?after={answers(here).token(outcome)}", 303)


def _page(
    request: Request,
    here: Platform,
    frame: Shell,
    card: Card,
    fresh: Fresh,
    viewed: viewing.Day,
    editing: Editing | None,
    status_code: int = 200,
) -> HTMLResponse:
    _, formats = frame.gettext(request), frame.formats(request)
    known = countries.named(formats.locale)
    shown = facts.of(card, known, here.log.timezone, _)
    after = request.query_params.get("after")
    return frame.page(
        request,
        "contacts/card.html",
        status_code=status_code,
        customer=card,
        since=_since(card, here),
        facts=shown,
        editing=editing,
        changed=facts.changed_since(shown, editing.stale) if editing and editing.stale is not None else [],
        may_change=may_change(request),
        day=viewed,
        today=date_of(business_day(here.log.clock(), here.log.timezone)),
        countries=known,
        words=facts,
        asked=urlencode({"as_of": viewing.said(viewed)}),
        after=f"?{urlencode({'after': after})}" if after else "",
        fresh=fresh,
    )


async def _of_alias(request: Request, here: Platform, alias: str) -> Response:
    await freshness(request, directory.family)
    found = await ask(here, directory.family, lambda db: lookup.resolve(db, alias))
    if found is None:
        raise Refused("no such customer", kind="missing")
    return _to(found, request)


def _to(id_: UUID, request: Request) -> RedirectResponse:
    query = request.url.query
    return RedirectResponse(f"/contacts/{id_}{'?' if query else ''}{query}", 307)


async def _without(request: Request, here: Platform, frame: Shell, id_: UUID, fresh: Fresh) -> HTMLResponse:
    """The page of a customer that the directory does not have: erased, not there yet, or none."""
    erasure = await erasure_of(here.log, id_)
    if erasure is not None:
        day = business_day(datetime.fromisoformat(erasure.meta.recorded_at), here.log.timezone)
        return frame.page(request, "contacts/erased.html", status_code=410, day=date_of(day), fresh=fresh)
    if fresh.behind:
        return frame.page(request, "contacts/not_yet.html", status_code=202, fresh=fresh)
    raise Refused("no such customer", kind="missing")


async def _caught_up(here: Platform) -> None:
    """Wait until the card shows what the caller has not seen, if it comes in time."""
    with suppress(TooFarBehind):
        await here.models.reached(directory.family, await here.log.store.position(), wait=2.0)


def _id(reference: str) -> UUID | None:
    try:
        return UUID(reference)
    except ValueError:
        return None


def _since(card: Card, here: Platform) -> int:
    """The business day of the first order or of the registration, whichever was earlier."""
    registered = business_day(datetime.fromisoformat(card.registered_at), here.log.timezone)
    return registered if card.first_order is None else min(registered, card.first_order)
