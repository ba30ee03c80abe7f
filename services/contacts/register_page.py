"""The form that registers a customer."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import Form as Field
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.contacts import changing, countries, directory, facts, forms
from services.contacts.changing import answers
from services.contacts.forms import Form, new_key
from shared.errors import Refused, Reused
from shared.web import guard
from shared.web.commands import context_of
from shared.web.freshness import freshness
from shared.web.guard import may
from shared.web.serving import Frame, Here
from shared.web.shell import Shell

router = guard.router(include_in_schema=False)
Typed = Annotated[str, Field()]


@router.get("/new")
@may("specialist", "manager")
async def new(request: Request, frame: Frame) -> HTMLResponse:
    """The empty form."""
    return await _page(request, frame, Form(typed={"kind": "individual"}))


@router.post("/new")
@may("specialist", "manager")
async def register(
    request: Request,
    here: Here,
    frame: Frame,
    key: Typed,
    kind: Typed = "",
    name: Typed = "",
    country: Typed = "",
    email: Typed = "",
    phone: Typed = "",
    internal: Typed = "",
) -> Response:
    """Register what the form says, or show it again with what to put right."""
    _ = frame.gettext(request)
    typed = {"kind": kind, "name": name, "country": country, "email": email, "phone": phone, "internal": internal}
    form = Form(key, typed=typed)
    command = forms.register(typed, _)
    if isinstance(command, dict):
        return await _page(request, frame, replace(form, errors=command), 422)
    try:
        id_, outcome = await changing.register(
            here.log, command, context_of(request, key, "/contacts/api/v1/customers")
        )
    except Reused:
        trouble = _("This form was sent before with other content. See what is recorded before you send it again.")
        return await _page(request, frame, replace(form, key=new_key()), 422, trouble)
    except Refused as refusal:
        return await _page(request, frame, form, 422, refusal.message)
    return RedirectResponse(f"/contacts/{id_}?after={answers(here).token(outcome)}", 303)


async def _page(
    request: Request, frame: Shell, form: Form, status_code: int = 200, trouble: str | None = None
) -> HTMLResponse:
    return frame.page(
        request,
        "contacts/new.html",
        status_code=status_code,
        form=form,
        trouble=trouble,
        kinds=facts.KINDS,
        countries=countries.named(frame.formats(request).locale),
        fresh=await freshness(request, directory.family),
    )
