"""The operator's look at the read models, and the way from `/` to the customers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from shared import status
from shared.parked import ALARM
from shared.web import guard
from shared.web.freshness import freshness
from shared.web.guard import may
from shared.web.operations import VERIFIED
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
    failing = here.health.problems()
    overdue = failing.pop(ALARM, None)
    return request.app.state.shell.page(  # type: ignore[no-any-return]
        request,
        "operations.html",
        projections=await status.projections(here),
        failing=failing,
        overdue=overdue is not None,
        may_unpark=guard.principal(request).role in {"operator", "admin"},
        generations=len(await asyncio.to_thread(here.models.entries)),
        head=await here.log.store.position(),
        relays=here.relays,
        verified=_verified(await asyncio.to_thread(here.accounts.last_note, VERIFIED)),
        fresh=await freshness(request, *families),
    )


@dataclass(frozen=True)
class _Verified:
    """When all was compared with a fresh fold for the last time, by whom, up to which position, and what came of it."""

    at: datetime
    actor: str
    whole: bool
    position: int


def _verified(note: Mapping[str, Any] | None) -> _Verified | None:
    if note is None:
        return None
    said, position = note["detail"].split()
    return _Verified(datetime.fromisoformat(note["at"]), note["actor"], said == "whole", int(position))
