"""What changed of a customer between two points, with the event, the person and the command behind each change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Query
from starlette.requests import Request
from starlette.responses import HTMLResponse

from services.contacts import countries, directory, facts, lookup, span
from services.contacts import events as told_by
from services.contacts.card_page import without
from services.contacts.history import Change, History, history
from shared.clock import date_of
from shared.past import Past
from shared.service import Platform
from shared.web import guard
from shared.web.freshness import freshness
from shared.web.guard import may, principal
from shared.web.i18n import N_
from shared.web.past import today
from shared.web.serving import Frame, Here, ask

router = guard.router(include_in_schema=False)
_READERS_OF_EVENTS: Final = frozenset({"operator", "privacy_officer", "analyst", "admin"})
_FACTS: Final[Mapping[str, str]] = {
    "kind": N_("Kind"),
    "name": N_("Name"),
    "country": N_("Country"),
    "internal": N_("Internal"),
    "address": N_("Address"),
    "aliases": N_("Known as"),
    "survivor": N_("Absorbed into"),
}
EVENTS: Final[Mapping[str, str]] = {
    told_by.CustomerRegistered.type: N_("Registered"),
    told_by.CustomerRenamed.type: N_("Renamed"),
    told_by.KindCorrected.type: N_("Kind corrected"),
    told_by.CountryCorrected.type: N_("Country corrected"),
    told_by.ContactPointAdded.type: N_("Contact point added"),
    told_by.ContactPointCorrected.type: N_("Contact point corrected"),
    told_by.ContactPointRemoved.type: N_("Contact point removed"),
    told_by.AddressMoved.type: N_("Moved"),
    told_by.IdentifierLinked.type: N_("Known to another system"),
    told_by.CustomersMerged.type: N_("Absorbed into another customer"),
    told_by.CustomersUnmerged.type: N_("Counts for itself again"),
}
"""What people call what changes a customer."""


@dataclass(frozen=True)
class Line:
    """A change in words; what is not known is None."""

    fact: str
    before: str | None
    after: str | None
    what: str
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    on_behalf_of: str | None
    command: str
    position: int


@router.get("/{customer_id}/changes")
@may("signed_in")
async def changes(
    customer_id: UUID,
    request: Request,
    here: Here,
    frame: Frame,
    earlier: Annotated[str, Query(alias="from")] = "",
    later: Annotated[str, Query(alias="to")] = "",
) -> HTMLResponse:
    """What changed between two days, or two moments of recording; without any, in the customer's whole life."""
    fresh = await freshness(request, directory.family)
    found = await ask(
        here, directory.family, lambda db: (lookup.find(db, customer_id), lookup.touched(db, customer_id))
    )
    past = None if found[0] is None else await history(here.log, customer_id, found[1])
    if past is None:
        return await without(request, here, frame, customer_id, fresh)
    first, last = await _ends(here, past, earlier, later)
    between = await span.read(here, first, last)
    _, known = frame.gettext(request), countries.named(frame.formats(request).locale)
    lines = await asyncio.to_thread(lambda: [_line(each, known, _) for each in past.changes(*between)])
    return frame.page(
        request,
        "contacts/changes.html",
        customer=found[0],
        lines=lines[::-1],
        ends=(first, last),
        days=between[0].as_of is not None,
        between=between,
        happened=urlencode(_happened(*between)),
        today=today(here),
        may_read=principal(request).role in _READERS_OF_EVENTS,
        fresh=fresh,
    )


async def _ends(here: Platform, past: History, earlier: str, later: str) -> tuple[str, str]:
    """The two ends as they were asked for; what was left out is the whole life of the customer, or today."""
    first = earlier or date_of(past.since() - 1).isoformat()
    if later:
        return first, later
    days = "-" in first and "T" not in first
    return first, date_of(today(here)).isoformat() if days else str(await here.log.store.position())


def _happened(earlier: Past, later: Past) -> dict[str, str]:
    """How the timeline is asked for what lies between."""
    if earlier.as_of is not None and later.as_of is not None:
        return {"from": date_of(earlier.as_of).isoformat(), "as_of": date_of(later.as_of).isoformat()}
    return {"from": str(earlier.known_at), "known_at": str(later.known_at)}


def _line(change: Change, known: Mapping[str, str], _: facts.Words) -> Line:
    meta = change.event.meta
    name = _FACTS.get(change.field) or facts.CHANNELS[(change.after or change.before)["channel"]]
    return Line(
        fact=_(name),
        before=_said(change.field, change.before, known, _),
        after=_said(change.field, change.after, known, _),
        what=_(EVENTS[change.event.type]),
        occurred_at=datetime.fromisoformat(meta.occurred_at),
        recorded_at=datetime.fromisoformat(meta.recorded_at),
        actor=facts.person(meta.actor),
        on_behalf_of=meta.on_behalf_of and facts.person(meta.on_behalf_of),
        command=meta.command_id,
        position=change.event.position,
    )


def _said(field: str, fact: Any, known: Mapping[str, str], _: facts.Words) -> str | None:
    """A fact in the reader's language."""
    if fact is None:
        return None
    if field.startswith("contact_points"):
        return " · ".join(_point(fact, _))
    ways: Mapping[str, Callable[[], str]] = {
        "kind": lambda: _(facts.KINDS[fact]),
        "country": lambda: known.get(fact, str(fact)),
        "internal": lambda: _("yes"),
        "address": lambda: ", ".join(facts.address(fact, known)),
        "aliases": lambda: ", ".join(fact),
    }
    return ways.get(field, lambda: str(fact))()


def _point(point: Mapping[str, str], _: facts.Words) -> Iterator[str]:
    purpose = point["purpose"]
    yield facts.readable(point["channel"], point["value"])
    if purpose != "general":
        yield _(facts.PURPOSES[purpose])
