"""The forms on the card of a customer, sent: each is carried out, or comes back with what to put right."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Final
from uuid import UUID

from fastapi import Form as Field
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.contacts import directory, forms, lookup
from services.contacts.card_page import Editing, page, without
from services.contacts.changing import answers, edit
from services.contacts.customer import Edit
from services.contacts.forms import Act, Form, new_key
from services.contacts.viewing import DAY_COOKIE
from shared.errors import Refused, Reused, Stale, TooFarBehind
from shared.past import NOW
from shared.service import Platform
from shared.web import guard
from shared.web.commands import context_of
from shared.web.freshness import freshness
from shared.web.guard import may
from shared.web.i18n import N_
from shared.web.serving import Frame, Here, ask

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


@router.post("/{customer_id}/{act}")
@may("specialist", "manager")
async def change(
    customer_id: UUID,
    act: Act,
    request: Request,
    here: Here,
    frame: Frame,
    sent: Annotated[Typed, Field()],
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
        return await without(request, here, frame, customer_id, fresh)
    if editing.stale is not None:
        editing = replace(editing, form=replace(editing.form, version=card.version))
    return page(request, here, frame, card, fresh, NOW, editing=editing, status_code=status)


async def _changed(request: Request, here: Platform, id_: UUID, editing: Editing, command: Edit) -> Response:
    route = {
        "add": "contact-points",
        "correct": f"contact-points/{editing.point}/correct",
        "remove": f"contact-points/{editing.point}/remove",
    }.get(editing.act, editing.act)
    context = context_of(request, editing.form.key, f"{_API}/{id_}/{route}")
    outcome = await edit(here.log, id_, command, context, editing.form.version)
    # A day chosen among the insights would hide what was just written.
    today = "&as_of=" if DAY_COOKIE in request.cookies else ""
    return RedirectResponse(f"/contacts/{id_}?after={answers(here).token(outcome)}{today}", 303)


async def _caught_up(here: Platform) -> None:
    """Wait until the card shows what the caller has not seen, if it comes in time."""
    with suppress(TooFarBehind):
        await here.models.reached(directory.family, await here.log.store.position(), wait=2.0)
