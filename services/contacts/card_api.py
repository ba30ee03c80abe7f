"""One customer over HTTP: as it is, as it was, and what changed in between."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query, Request, Response
from pydantic import BaseModel, Field

from services.contacts import directory, erasing, identity, lookup, span
from services.contacts.api import CustomerEntry, on_the_wire
from services.contacts.history import Change, History, history, survivor
from shared.errors import Refused
from shared.past import NOW, Past
from shared.projections import Snapshot
from shared.service import Platform
from shared.web import command_route
from shared.web.commands import etag
from shared.web.guard import may
from shared.web.past import AskedPast
from shared.web.serving import Here, read
from shared.web.tokens import After, Token

router = command_route.router(prefix="/api/v1", tags=["customers"])
Reference = Annotated[str, Path(description="The customer's id, or an alias of it: source:outside-id.")]


class CustomerCard(CustomerEntry):
    """A customer with all that is known of it; `told` says of each fact when and by whom."""

    aliases: list[str]
    contact_points: list[dict[str, Any]]
    address: dict[str, Any] | None
    told: dict[str, Any]
    registered_at: str
    survivor: UUID | None = Field(description="Who counts for it, if it was absorbed.")
    known_at: int | None = Field(
        None,
        description="The position up to which the log counted. last_contact and last_order are null then: other"
        " services record them, and what was known of them is in the timeline and in analytics.",
    )


class CustomerChange(BaseModel):
    """A fact that changed, and the event, the person and the command behind it; null is what was not known."""

    field: str
    before: Any
    after: Any
    type: str
    event_id: UUID
    position: int
    version: int
    occurred_at: str
    recorded_at: str
    actor: str
    on_behalf_of: str | None
    command_id: str
    correlation_id: str | None
    causation_id: str | None


class CustomerChanges(BaseModel):
    """What changed between two points, oldest first: all of it makes of the earlier facts the later ones."""

    customer: UUID
    changes: list[CustomerChange]


@router.get("/customers/{reference}/changes")
@may("signed_in")
async def changes(
    request: Request,
    reference: Reference,
    after: After,
    here: Here,
    earlier: Annotated[str, Query(alias="from", description="A day; or an instant with its offset, or a position.")],
    later: Annotated[str, Query(alias="to", description="The same kind of point, not before `from`.")],
) -> CustomerChanges:
    """What changed of a customer between two days, or between two moments of recording. 410 for an erased one."""
    between = await span.read(here, earlier, later)
    found, _ = await _history(request, here, reference, after, NOW)
    told = await asyncio.to_thread(lambda: list(found.changes(*between)))
    return CustomerChanges(customer=found.id, changes=list(map(_told, told)))


@router.get("/customers/{reference:path}")
@may("signed_in")
async def card(
    request: Request, reference: Reference, after: After, here: Here, response: Response, past: AskedPast
) -> CustomerCard:
    """One customer; its `ETag` goes into the `If-Match` of an edit. 410 for one that was erased.

    With `as_of` or `known_at` as it was: 404 before it was a customer, and no `ETag`.
    """
    if past != NOW:
        return await _past(request, here, reference, after, past)

    def question(db: Snapshot) -> tuple[lookup.Card, UUID] | None:
        id_ = lookup.referred(db, reference)
        found = lookup.find(db, id_) if id_ is not None else None
        return None if found is None else (found, identity.survivor(db, found.id))

    answer = await read(request, directory.family, question, after=after)
    if answer is None:
        await erasing.require_not_erased(here.log, reference)
        raise Refused("no such customer", kind="missing")
    response.headers["ETag"] = etag(answer[0].version)
    return _card(*answer, NOW)


async def _past(request: Request, here: Platform, reference: str, after: Token | None, past: Past) -> CustomerCard:
    found, counts = await _history(request, here, reference, after, past)
    seen = found.card(past)
    if seen is None:
        raise Refused(
            "this was not a customer yet", field="as_of" if past.known_at is None else "known_at", kind="missing"
        )
    if past.known_at is not None:
        counts = await survivor(here.log, found.id, past.known_at)
    return _card(seen, counts, past)


async def _history(
    request: Request, here: Platform, reference: str, after: Token | None, past: Past
) -> tuple[History, UUID]:
    """The history of a customer, and who counts for it today."""

    def question(db: Snapshot) -> tuple[UUID, lookup.Touched, UUID] | None:
        id_ = lookup.referred(db, reference)
        return None if id_ is None else (id_, lookup.touched(db, id_, past.as_of), identity.survivor(db, id_))

    answer = await read(request, directory.family, question, after=after)
    found = None if answer is None else await history(here.log, *answer[:2])
    if answer is None or found is None:
        raise Refused("no such customer", kind="missing")
    return found, answer[2]


def _card(found: lookup.Card, counts: UUID, past: Past) -> CustomerCard:
    return CustomerCard.model_validate(
        {
            **on_the_wire(found),
            "contact_points": list(found.points),
            "survivor": counts if counts != found.id else None,
            "known_at": past.known_at,
        }
    )


def _told(change: Change) -> CustomerChange:
    event, meta = change.event, change.event.meta
    return CustomerChange(
        field=change.field,
        before=change.before,
        after=change.after,
        type=event.type,
        event_id=event.uuid,
        position=event.position,
        version=event.version,
        occurred_at=meta.occurred_at,
        recorded_at=meta.recorded_at,
        actor=meta.actor,
        on_behalf_of=meta.on_behalf_of,
        command_id=meta.command_id,
        correlation_id=meta.correlation_id,
        causation_id=meta.causation_id,
    )
