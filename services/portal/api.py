"""Orders and credit notes over HTTP, one at a time or many of another system at once."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from services.portal import changing, credit_notes, imports, orders
from services.portal.changing import answers, edit
from services.portal.credit_note import NewCreditNote
from services.portal.credit_notes import CreditNoteDetail
from services.portal.order import CancelOrder, NewOrder, RefundOrder, order
from services.portal.orders import OrderDetail, OrderSummary, Status
from shared.errors import Refused
from shared.values import Code
from shared.web import command_route
from shared.web.bodies import Sent
from shared.web.commands import POSITION_HEADER, Accepted, Asked, Expected, etag
from shared.web.cursors import Cursor, Limit, encode
from shared.web.guard import may
from shared.web.serving import Here, read
from shared.web.tokens import After

router = command_route.router(prefix="/api/v1", tags=["orders"])


class OrderPage(BaseModel):
    """Orders, newest first; `next` is the cursor of the next page."""

    orders: list[OrderSummary]
    next: str | None


class CreditNotePage(BaseModel):
    """Credit notes, newest first; `next` is the cursor of the next page."""

    credit_notes: list[CreditNoteDetail]
    next: str | None


class ImportAnswer(BaseModel):
    """A result for each order and each credit note, in the order in which they were sent."""

    orders: list[imports.Result]
    credit_notes: list[imports.Result]
    position: str | None = Field(description="Send it as ?after= with a query that must see all of them.")


@router.post("/orders", status_code=201)
@may("specialist", "manager")
async def place_order(body: Sent[NewOrder], here: Here, asked: Asked, response: Response) -> Accepted:
    """Place an order. One that names its number is the one order of that number and source."""
    order_id, outcome = await changing.place(here.log, body, asked)
    return answers(here).answer(outcome, order_id, response)


@router.post("/orders/import")
@may("analyst", "manager", "operator")
async def import_orders(body: Sent[imports.Batch], here: Here, asked: Asked, response: Response) -> ImportAnswer:
    """Take over up to 200 orders and 200 credit notes of another system; the same again is unchanged."""
    taken = await imports.take(here.log, body, asked)
    position = answers(here).token(taken.last) if taken.last else None
    if position:
        response.headers[POSITION_HEADER] = position
    return ImportAnswer(orders=taken.orders, credit_notes=taken.credit_notes, position=position)


@router.post("/orders/{order_id}/cancel")
@may("specialist", "manager")
async def cancel_order(
    order_id: UUID, body: Sent[CancelOrder], here: Here, asked: Asked, expected: Expected, response: Response
) -> Accepted:
    """Take a whole order back."""
    outcome = await edit(here.log, order, order_id, body, asked, expected)
    return answers(here).answer(outcome, order_id, response)


@router.post("/orders/{order_id}/refund")
@may("specialist", "manager")
async def refund_order(
    order_id: UUID, body: Sent[RefundOrder], here: Here, asked: Asked, expected: Expected, response: Response
) -> Accepted:
    """Give some of an order's money back."""
    outcome = await edit(here.log, order, order_id, body, asked, expected)
    return answers(here).answer(outcome, order_id, response)


@router.get("/orders")
@may("signed_in")
async def list_orders(
    request: Request,
    cursor: Cursor,
    after: After,
    customer: UUID | None = None,
    status: Status | None = None,
    number: Code | None = None,
    limit: Limit = 50,
) -> OrderPage:
    """Orders, newest first."""
    rows, place = await read(
        request,
        orders.family,
        lambda db: orders.listed(db, customer_id=customer, status=status, number=number, behind=cursor, limit=limit),
        after=after,
    )
    return OrderPage(orders=rows, next=encode(place) if place else None)


@router.get("/orders/{order_id}")
@may("signed_in")
async def one_order(order_id: UUID, request: Request, response: Response, after: After) -> OrderDetail:
    """One order with its lines and its history."""
    found = await read(request, orders.family, lambda db: orders.found(db, order_id), after=after)
    if found is None:
        raise Refused("no such order", kind="missing")
    response.headers["ETag"] = etag(found.version)
    return found


@router.post("/credit-notes", status_code=201)
@may("specialist", "manager")
async def issue_credit(body: Sent[NewCreditNote], here: Here, asked: Asked, response: Response) -> Accepted:
    """Issue a credit note. One that names its number is the one credit note of that number and source."""
    note_id, outcome = await changing.issue(here.log, body, asked)
    return answers(here).answer(outcome, note_id, response)


@router.get("/credit-notes")
@may("signed_in")
async def list_credit_notes(
    request: Request, cursor: Cursor, after: After, customer: UUID | None = None, limit: Limit = 50
) -> CreditNotePage:
    """Credit notes, newest first."""
    rows, place = await read(
        request,
        orders.family,
        lambda db: credit_notes.listed(db, customer_id=customer, behind=cursor, limit=limit),
        after=after,
    )
    return CreditNotePage(credit_notes=rows, next=encode(place) if place else None)


@router.get("/credit-notes/{credit_note_id}")
@may("signed_in")
async def one_credit_note(credit_note_id: UUID, request: Request, response: Response, after: After) -> CreditNoteDetail:
    """One credit note with its lines."""
    found = await read(request, orders.family, lambda db: credit_notes.found(db, credit_note_id), after=after)
    if found is None:
        raise Refused("no such credit note", kind="missing")
    response.headers["ETag"] = etag(found.version)
    return found
