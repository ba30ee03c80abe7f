"""The operator's look at the read models, and the way from `/` to the customers."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from shared import status
from shared.parked import ALARM
from shared.relay import State
from shared.web import guard
from shared.web.freshness import freshness
from shared.web.guard import may
from shared.web.operations import VERIFIED
from shared.web.serving import Frame, Here
from shared.web.shell import Shell

router = guard.router(include_in_schema=False)


@router.get("/")
@may("signed_in")
async def home() -> RedirectResponse:
    """Where everybody starts."""
    return RedirectResponse("/contacts/", status_code=303)


@router.get("/operations/")
@may("operator", "manager", "analyst")
async def operations(request: Request, here: Here, frame: Frame) -> HTMLResponse:
    """Whether anything is behind, stuck or parked."""
    families = [generation.family for generation in here.models.generations]
    failing = here.health.problems()
    overdue = failing.pop(ALARM, None) is not None
    projections = await status.projections(here)
    may_unpark = guard.principal(request).role in {"operator", "admin"}
    still = [relay.service for relay in here.relays if relay.state not in {State.RELAYING, State.STARTING}]
    return request.app.state.shell.page(  # type: ignore[no-any-return]
        request,
        "operations.html",
        notices=_notices(frame, request, projections, failing, still, overdue=overdue, door=may_unpark),
        projections=projections,
        failing=failing,
        may_unpark=may_unpark,
        generations=len(await asyncio.to_thread(here.models.entries)),
        head=await here.log.store.position(),
        relays=here.relays,
        verified=_verified(await asyncio.to_thread(here.accounts.last_note, VERIFIED)),
        fresh=await freshness(request, *families),
    )


class _Notice(NamedTuple):
    text: str
    tone: str
    door: str | None = None


def _notices(
    frame: Shell,
    request: Request,
    projections: Sequence[Mapping[str, Any]],
    failing: Mapping[str, str],
    still: Collection[str],
    *,
    overdue: bool,
    door: bool,
) -> list[_Notice]:
    """What an operator must know, the worst first; that all is well if there is nothing else to say."""
    _, number = frame.gettext(request), frame.formats(request).number
    notices = []
    if failing:
        waiting = _("Something has stopped: %(names)s. Nothing that was confirmed is lost.")
        names = ", ".join(f"{name} ({problem.splitlines()[0]})" for name, problem in failing.items())
        notices.append(_Notice(waiting % {"names": names}, "danger"))
    if still:
        unpublished = _(
            "Not published at the moment: %(names)s. Nothing is lost; it goes on from the last event that Kafka has."
        )
        notices.append(_Notice(unpublished % {"names": ", ".join(still)}, "danger"))
    if parked := sum(each["parked"] for each in projections):
        told = _("Events parked: %(count)s. Their customers wait; everybody else goes on.")
        if overdue:
            told = _(
                "Events parked: %(count)s, some for more than 15 minutes. Their customers wait; everybody else goes on."
            )
        text = told % {"count": number(parked)}
        notices.append(_Notice(text, "danger" if overdue else "warning", "/operations/parked" if door else None))
    behind = sum(each["lag_events"] > 0 for each in projections)
    if behind and not failing:
        text = _("Read models that are catching up: %(count)s.") % {"count": number(behind)}
        notices.append(_Notice(text, "info"))
    return notices or [_Notice(_("Everything is up to the last event."), "success")]


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
