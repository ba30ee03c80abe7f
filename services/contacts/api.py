"""The HTTP API of the customer base."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.contacts import directory, lookup
from services.contacts.address import MoveAddress
from services.contacts.changing import answers, edit
from services.contacts.changing import register as registered
from services.contacts.contact_points import AddContactPoint, CorrectContactPoint, Correction, RemoveContactPoint
from services.contacts.customer import (
    DescribeCustomer,
    LinkIdentifier,
    NewCustomer,
    OutsideCustomer,
    RenameCustomer,
)
from services.contacts.importing import take_over
from services.contacts.sources import Source
from shared.clock import date_of
from shared.projections import Snapshot
from shared.web import command_route, cursors
from shared.web.bodies import Sent
from shared.web.commands import POSITION_HEADER, Accepted, Asked, Expected
from shared.web.cursors import Cursor, Limit
from shared.web.guard import may
from shared.web.serving import Here, read
from shared.web.tokens import After

router = command_route.router(prefix="/api/v1", tags=["customers"])
Point = Annotated[int, Path(ge=1, description="The contact point's number.")]


@router.post("/customers", status_code=201)
@may("specialist", "manager")
async def register(body: Sent[NewCustomer], asked: Asked, here: Here, response: Response) -> Accepted:
    """Register a customer."""
    id_, outcome = await registered(here.log, body, asked)
    return answers(here).answer(outcome, id_, response)


@router.post("/customers/{id_}/rename")
@may("specialist", "manager")
async def rename(
    id_: UUID, body: Sent[RenameCustomer], asked: Asked, expected: Expected, here: Here, response: Response
) -> Accepted:
    """Give a customer another name."""
    outcome = await edit(here.log, id_, body, asked, expected)
    return answers(here).answer(outcome, id_, response)


@router.post("/customers/{id_}/describe")
@may("specialist", "manager")
async def describe(
    id_: UUID, body: Sent[DescribeCustomer], asked: Asked, expected: Expected, here: Here, response: Response
) -> Accepted:
    """Correct a customer's kind or country."""
    outcome = await edit(here.log, id_, body, asked, expected)
    return answers(here).answer(outcome, id_, response)


@router.post("/customers/{id_}/address")
@may("specialist", "manager")
async def move(
    id_: UUID, body: Sent[MoveAddress], asked: Asked, expected: Expected, here: Here, response: Response
) -> Accepted:
    """Record where a customer lives or sits now."""
    outcome = await edit(here.log, id_, body, asked, expected)
    return answers(here).answer(outcome, id_, response)


@router.post("/customers/{id_}/identifiers")
@may("specialist", "manager")
async def link(
    id_: UUID, body: Sent[LinkIdentifier], asked: Asked, expected: Expected, here: Here, response: Response
) -> Accepted:
    """Record under which id another system knows a customer."""
    outcome = await edit(here.log, id_, body, asked, expected)
    return answers(here).answer(outcome, id_, response)


@router.post("/customers/{id_}/contact-points")
@may("specialist", "manager")
async def add_contact_point(
    id_: UUID, body: Sent[AddContactPoint], asked: Asked, expected: Expected, here: Here, response: Response
) -> Accepted:
    """Record one more way to reach a customer."""
    outcome = await edit(here.log, id_, body, asked, expected)
    return answers(here).answer(outcome, id_, response)


@router.post("/customers/{id_}/contact-points/{point}/correct")
@may("specialist", "manager")
async def correct_contact_point(
    id_: UUID, point: Point, body: Sent[Correction], asked: Asked, expected: Expected, here: Here, response: Response
) -> Accepted:
    """Put a contact point right."""
    outcome = await edit(here.log, id_, CorrectContactPoint(point=point, **dict(body)), asked, expected)
    return answers(here).answer(outcome, id_, response)


@router.post("/customers/{id_}/contact-points/{point}/remove")
@may("specialist", "manager")
async def remove_contact_point(
    id_: UUID, point: Point, asked: Asked, expected: Expected, here: Here, response: Response
) -> Accepted:
    """Stop reaching a customer this way."""
    outcome = await edit(here.log, id_, RemoveContactPoint(point=point), asked, expected)
    return answers(here).answer(outcome, id_, response)


class CustomersImport(BaseModel):
    """Some customers of another system."""

    model_config = ConfigDict(extra="forbid", strict=True)

    source: Source = Field(description="The other system; with `outside_id` it names a customer for ever.")
    customers: list[OutsideCustomer] = Field(max_length=500)


class ImportResult(BaseModel):
    """What became of one customer."""

    status: Literal["accepted", "unchanged", "rejected"]
    events: int
    reason: str | None


class ImportResults(BaseModel):
    """A result for each customer in the order they were sent; `position` holds the last of them."""

    results: list[ImportResult]
    position: str | None


@router.post("/customers/import")
@may("analyst", "manager", "operator")
async def import_customers(body: Sent[CustomersImport], asked: Asked, here: Here, response: Response) -> ImportResults:
    """Take over customers: what is unknown is added, what is known stays. Repeating it changes nothing."""
    results = await take_over(here.log, body.source, body.customers, asked)
    outcomes = [result.outcome for result in results if result.outcome is not None]
    last = max(outcomes, key=lambda outcome: outcome.position, default=None)
    position = answers(here).token(last) if last is not None else None
    if position:
        response.headers[POSITION_HEADER] = position
    return ImportResults(
        results=[ImportResult(status=each.status, events=each.events, reason=each.reason) for each in results],
        position=position,
    )


class CustomerEntry(BaseModel):
    """A customer in a list."""

    id: UUID
    version: int
    name: str | None
    alias: str | None
    kind: str
    internal: bool
    country: str | None
    last_contact: date | None
    last_order: date | None


class CustomerPage(BaseModel):
    """Customers by name; `next` is the cursor of the next page, `count` how many fit in all."""

    customers: list[CustomerEntry]
    next: str | None
    count: int


@router.get("/customers")
@may("signed_in")
async def customers(
    request: Request,
    cursor: Cursor,
    after: After,
    q: Annotated[str, Query(max_length=200, description="Words of a name, alias or contact point.")] = "",
    kind: lookup.KindFilter | None = None,
    limit: Limit = 50,
) -> CustomerPage:
    """Customers by name."""

    def question(db: Snapshot) -> CustomerPage:
        page = lookup.page(db, q, kind, cursor, limit)
        return CustomerPage(
            customers=[CustomerEntry.model_validate(on_the_wire(entry)) for entry in page.entries],
            next=cursors.encode(page.next) if page.next else None,
            count=lookup.count(db, q, kind),
        )

    return await read(request, directory.family, question, after=after)


def on_the_wire(entry: lookup.Entry) -> dict[str, Any]:
    """A customer as the API tells of it."""
    days = {"last_contact": entry.last_contact, "last_order": entry.last_order}
    dates = {name: date_of(day) if day is not None else None for name, day in days.items()}
    return {**vars(entry), **dates}
