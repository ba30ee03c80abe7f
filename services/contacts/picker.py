"""Finding one customer: the choices that a form of another service shows while somebody types."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse

from services.contacts import countries, directory, lookup
from services.contacts.pages import may_change
from shared.web import guard
from shared.web.guard import may
from shared.web.serving import Frame, read

router = guard.router(include_in_schema=False)
CHOICES: Final = 8
_LONGEST_SEARCH: Final = 200


@router.get("/fragments/customers")
@may("signed_in")
async def choices(request: Request, frame: Frame, q: str = "") -> HTMLResponse:
    """Some customers that fit, to choose one as the field `customer` of the form around."""
    wanted = " ".join(q.split())[:_LONGEST_SEARCH]
    found = await read(request, directory.family, lambda db: lookup.page(db, wanted, None, None, CHOICES))
    return frame.fragment(
        request,
        "contacts/choices.html",
        q=wanted,
        customers=found.entries if wanted else (),
        more=found.next is not None,
        may_register=may_change(request),
        countries=countries.named(frame.formats(request).locale),
    )
