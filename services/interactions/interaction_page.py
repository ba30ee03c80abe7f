"""The pages of one interaction: the form that records it, and the interaction with the form that corrects it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import Form as Field
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.interactions import changing, forms, interactions, names
from services.interactions.changing import answers
from services.interactions.forms import WRONG, Form, new_key
from services.interactions.interactions import InteractionDetail
from services.interactions.pages import labels, may_record
from services.interactions.timeline import family
from shared.errors import Refused, Reused, Stale
from shared.service import Platform
from shared.web import guard
from shared.web.commands import context_of
from shared.web.freshness import freshness
from shared.web.guard import may
from shared.web.i18n import N_
from shared.web.serving import Frame, Here, ask
from shared.web.shell import Shell

router = guard.router(include_in_schema=False)
Typed = Annotated[str, Field()]
_API = "/interactions/api/v1/interactions"
_SENT_BEFORE = N_("This form was sent before with other content. See what is recorded before you send it again.")


@router.get("/new")
@may("specialist", "manager")
async def new(request: Request, here: Here, frame: Frame, customer: str = "") -> HTMLResponse:
    """The form that records an interaction, with a customer or one."""
    return await _new_page(request, here, frame, Form(typed={"customer": customer}))


@router.post("/new")
@may("specialist", "manager")
async def record(
    request: Request,
    here: Here,
    frame: Frame,
    key: Typed,
    q: Typed = "",
    customer: Typed = "",
    kind: Typed = "",
    direction: Typed = "",
    when: Typed = "",
    duration: Typed = "",
    summary: Typed = "",
) -> Response:
    """Record what the form says, or show it again with what to put right."""
    _ = frame.gettext(request)
    typed = {"q": q, "customer": customer, "kind": kind, "direction": direction, "when": when}
    form = Form(key, {**typed, "duration": duration, "summary": summary})
    command = forms.record(form.typed, here.log.timezone, _)
    if isinstance(command, dict):
        return await _new_page(request, here, frame, replace(form, errors=command), 422)
    if await _customer(here, str(command.customer_id)) is None:
        errors = {"customer": _("No customer has this id. Look for the customer in the list of customers.")}
        return await _new_page(request, here, frame, replace(form, errors=errors), 422)
    try:
        id_, outcome = await changing.record(here.log, command, context_of(request, key, _API))
    except Reused:
        form = replace(form, key=new_key())
        return await _new_page(request, here, frame, form, 422, trouble=_(_SENT_BEFORE))
    except Refused as refusal:
        errors = {"when": _(WRONG["when"])} if refusal.field == "occurred_at" else {}
        form = replace(form, errors=errors)
        return await _new_page(request, here, frame, form, 422, trouble=None if errors else refusal.message)
    return RedirectResponse(f"/interactions/{id_}?after={answers(here).token(outcome)}", 303)


@router.get("/{interaction_id}")
@may("signed_in")
async def show(interaction_id: UUID, request: Request, here: Here, frame: Frame) -> HTMLResponse:
    """One interaction."""
    return await _page(request, here, frame, interaction_id)


@router.post("/{interaction_id}/correct")
@may("specialist", "manager")
async def correct(
    interaction_id: UUID,
    request: Request,
    here: Here,
    frame: Frame,
    key: Typed,
    version: Annotated[int, Field()],
    kind: Typed = "",
    direction: Typed = "",
    duration: Typed = "",
    summary: Typed = "",
    reason: Typed = "",
) -> Response:
    """Correct the interaction, or show the form again with what to put right."""
    _ = frame.gettext(request)
    typed = {"kind": kind, "direction": direction, "duration": duration, "summary": summary, "reason": reason}
    form = Form(key, typed)
    command = forms.correct(form.typed, await _found(here, interaction_id), _)
    if isinstance(command, dict):
        return await _page(request, here, frame, interaction_id, 422, form=replace(form, errors=command))
    try:
        context = context_of(request, key, f"{_API}/{interaction_id}/correct")
        outcome = await changing.correct(here.log, interaction_id, command, context, version)
    except Reused:
        status, form, trouble = 422, replace(form, key=new_key()), _(_SENT_BEFORE)
    except Stale:
        status = 412
        trouble = _("Somebody corrected this since you saw it. See how it stands now, and send the form again.")
    else:
        return RedirectResponse(f"/interactions/{interaction_id}?after={answers(here).token(outcome)}", 303)
    return await _page(request, here, frame, interaction_id, status, form=form, trouble=trouble)


async def _new_page(
    request: Request, here: Platform, frame: Shell, form: Form, status_code: int = 200, *, trouble: str | None = None
) -> HTMLResponse:
    return frame.page(
        request,
        "interactions/new.html",
        status_code=status_code,
        form=form,
        customer=await _customer(here, form.typed["customer"]),
        trouble=trouble,
        zone=here.log.timezone,
        **labels(),
        fresh=await freshness(request, family),
    )


async def _page(
    request: Request,
    here: Platform,
    frame: Shell,
    interaction_id: UUID,
    status_code: int = 200,
    *,
    form: Form | None = None,
    trouble: str | None = None,
) -> HTMLResponse:
    fresh = await freshness(request, family)
    shown = await _found(here, interaction_id)
    return frame.page(
        request,
        "interactions/interaction.html",
        status_code=status_code,
        interaction=shown,
        form=form or Form(typed=forms.as_typed(shown)),
        trouble=trouble,
        may_record=may_record(request),
        **labels(),
        fresh=fresh,
    )


async def _found(here: Platform, interaction_id: UUID) -> InteractionDetail:
    found = await ask(here, family, lambda db: interactions.found(db, interaction_id))
    if found is None:
        raise Refused("no such interaction", kind="missing")
    return found


async def _customer(here: Platform, typed: str) -> names.Customer | None:
    try:
        customer_id = UUID(typed.strip())
    except ValueError:
        return None
    return await ask(here, family, lambda db: names.known(db, customer_id))
