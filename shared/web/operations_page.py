"""The operator's look at the read models, and the way from `/` to the customers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from shared import status
from shared.web import guard
from shared.web.freshness import freshness
from shared.web.guard import may
from shared.web.serving import Here

router = guard.router(include_in_schema=False)


@router.get("/")
@may("signed_in")
async def home() -> RedirectResponse:
    """Where everybody starts."""
    return RedirectResponse("/contacts/", status_code=303)


@router.get("/operations/")
@may("operator", "manager", "analyst")
async def operations(request: Request, here: Here) -> HTMLResponse:
    """Whether anything is behind, stuck or parked."""
    families = [generation.family for generation in here.models.generations]
    return request.app.state.shell.page(  # type: ignore[no-any-return]
        request,
        "operations.html",
        projections=await status.projections(here),
        failing=here.health.problems(),
        fresh=await freshness(request, *families),
    )
