"""The pages of parked events: which customers wait and why, and one event with what an operator can do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from fastapi import Form, Query
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from shared import parked
from shared.errors import Refused
from shared.parked import Entry
from shared.service import Platform
from shared.values import Text
from shared.web import guard
from shared.web.guard import may, principal
from shared.web.serving import Frame, Here
from shared.web.shell import Shell

router = guard.router(prefix="/operations/parked", include_in_schema=False)
_HOME: Final = "/operations/parked"
_MOST: Final = 100
"""Rows on a page; the command line shows all."""
_REASON: Final[TypeAdapter[str]] = TypeAdapter(Text)
Typed = Annotated[str, Form()]
Applied = Annotated[int | None, Query(ge=0, le=1_000_000_000)]
"""What a retry just came to, as the page that follows it is told."""


@dataclass(frozen=True)
class Queue:
    """The parked events of one subject in one family: the first is what the others wait behind."""

    first: Entry
    waiting: int

    @property
    def address(self) -> str:
        """Where the first event is shown."""
        return address(self.first)


@dataclass(frozen=True)
class Skipping:
    """The form that skips an event: what was typed, and what is wrong by field."""

    typed: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@router.get("")
@may("operator")
async def listed(request: Request, here: Here, frame: Frame, applied: Applied = None) -> HTMLResponse:
    """Who waits in which read model, and behind what."""
    queues = _queues(await parked.listed(here))
    shown = queues[:_MOST]
    return frame.page(request, "parked.html", queues=shown, total=len(queues), applied=applied, instant=_instant)


@router.get("/{family}/{position}")
@may("operator")
async def shown(
    family: str, position: str, request: Request, here: Here, frame: Frame, applied: Applied = None
) -> HTMLResponse:
    """One parked event."""
    return await _page(request, here, frame, family, position, applied=applied)


@router.post("/{family}/retry")
@may("operator")
async def retry(family: str, request: Request, here: Here, subject: Typed = "") -> Response:
    """Try again what is parked of a subject, then show where that has led."""
    try:
        done = await parked.retry(here, principal(request).actor, family, subject)
    except Refused as refusal:
        if refusal.field != "subject":
            raise
        return _to(_HOME, applied=0)  # somebody else, or a second click, was faster
    return _to(address(done["waiting"][0]) if done["waiting"] else _HOME, applied=done["applied"])


@router.post("/{family}/{position}/skip")
@may("operator")
async def skip(
    family: str,
    position: str,
    request: Request,
    here: Here,
    frame: Frame,
    reason: Typed = "",
    confirmation: Typed = "",
) -> Response:
    """Skip an event for good, or show the form again with what to put right."""
    _ = frame.gettext(request)
    errors = {}
    if confirmation.strip() != position:
        errors["confirmation"] = _("Type %(name)s to confirm that you mean this event.") % {"name": position}
    try:
        why = _REASON.validate_python(reason)
    except ValidationError:
        errors["reason"] = _("Write why it is skipped, in one line of at most 200 characters.")
    if errors:
        form = Skipping({"reason": reason, "confirmation": confirmation}, errors)
        return await _page(request, here, frame, family, position, 422, skipping=form)
    done = await parked.skip(here, principal(request).actor, family, position, why)
    return _to(address(done["waiting"][0]) if done["waiting"] else _HOME)


def address(entry: Entry) -> str:
    """Where an event is shown."""
    return f"{_HOME}/{quote(entry['family'], safe='')}/{quote(entry['name'], safe='')}"


async def _page(
    request: Request,
    here: Platform,
    frame: Shell,
    family: str,
    position: str,
    status_code: int = 200,
    *,
    applied: int | None = None,
    skipping: Skipping | None = None,
) -> HTMLResponse:
    entry = await parked.shown(here, family, position)
    return frame.page(
        request,
        "parked_event.html",
        status_code=status_code,
        entry=entry,
        address=address,
        instant=_instant,
        first=entry["before"][0] if entry["before"] else None,
        waiting=entry["waiting"][:_MOST],
        fields=_fields(entry["event"]),
        applied=applied,
        skipping=skipping or Skipping(),
    )


def _queues(entries: Iterable[Entry]) -> list[Queue]:
    """Queues, the one that has waited longest first."""
    some = sorted(entries, key=_whose)  # stable: within a queue they stay in the order they wait
    queues = [list(queue) for _, queue in groupby(some, key=_whose)]
    longest = sorted(queues, key=lambda queue: min(entry["first_at"] for entry in queue))
    return [Queue(queue[0], len(queue) - 1) for queue in longest]


def _whose(entry: Entry) -> tuple[str, str]:
    return entry["family"], entry["subject"]


def _fields(event: dict[str, Any] | None) -> list[tuple[str, Any]]:
    return list(event["data"].items()) if event else []


def _instant(text: str) -> datetime | None:
    """An instant as it is stored; None for what an event from elsewhere may hold instead."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _to(path: str, **query: int) -> RedirectResponse:
    return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, 303)
