"""Orders and credit notes of another system, many at once; the same ones again change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, NamedTuple
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field

from services.portal.credit_note import IssueCredit, credit_note
from services.portal.lines import MAX_LINES, Item, Source
from services.portal.order import PlaceOrder, order
from shared.decider import Context, Log, Outcome, handle
from shared.errors import Conflict, Refused, Reused, SubjectIsErased, TooLarge
from shared.ids import NS, imported
from shared.values import Code, Currency, Instant, Zone

MAX_ITEMS: Final = 200
"""Orders in one request, and as many credit notes."""

_STRICT: Final = ConfigDict(frozen=True, extra="forbid", strict=True)


class OutsideOrder(BaseModel):
    """An order as the other system knows it; `customer` is its id of the customer."""

    model_config = _STRICT

    number: Code
    customer: Code
    placed_at: Instant
    lines: Annotated[tuple[Item, ...], Field(max_length=MAX_LINES)]


class OutsideCreditNote(BaseModel):
    """A credit note as the other system knows it; amounts are positive."""

    model_config = _STRICT

    number: Code
    customer: Code
    issued_at: Instant
    lines: Annotated[tuple[Item, ...], Field(max_length=MAX_LINES)]


class Batch(BaseModel):
    """What one request brings; the zone gives the business days."""

    model_config = _STRICT

    source: Source
    timezone: Zone
    currency: Currency
    orders: Annotated[tuple[OutsideOrder, ...], Field(max_length=MAX_ITEMS)] = ()
    credit_notes: Annotated[tuple[OutsideCreditNote, ...], Field(max_length=MAX_ITEMS)] = ()


class Result(BaseModel):
    """What became of one item, how many events it led to, and why it was rejected."""

    status: Literal["accepted", "unchanged", "rejected"]
    events: int
    reason: str | None


class Taken(NamedTuple):
    """The results in the order of the batch, and the outcome that lies furthest in the log."""

    orders: list[Result]
    credit_notes: list[Result]
    last: Outcome | None


async def take(log: Log, batch: Batch, context: Context) -> Taken:
    """Place the orders and issue the credit notes of a batch, each on its own, all at once."""
    orders = [_place(log, batch, asked, context) for asked in batch.orders]
    credit_notes = [_issue(log, batch, asked, context) for asked in batch.credit_notes]
    # Together, so that the store can make many of them durable at one go.
    ends = await asyncio.gather(*map(result, orders), *map(result, credit_notes))
    outcomes = [outcome for _, outcome in ends if outcome is not None]
    results = [result for result, _ in ends]
    last = max(outcomes, key=lambda outcome: outcome.position, default=None)
    return Taken(results[: len(orders)], results[len(orders) :], last)


async def result(attempt: Coroutine[Any, Any, Outcome]) -> tuple[Result, Outcome | None]:
    """What became of one item, and its outcome where there is one."""
    try:
        outcome = await attempt
    except Reused:
        return Result(status="rejected", events=0, reason="already imported with other content"), None
    except Refused as refusal:
        reason = f"{refusal.field}: {refusal.message}" if refusal.field else refusal.message
        return Result(status="rejected", events=0, reason=reason), None
    except (Conflict, SubjectIsErased, TooLarge) as error:
        return Result(status="rejected", events=0, reason=str(error)), None
    if outcome.found or not outcome.events:
        return Result(status="unchanged", events=0, reason=None), outcome
    return Result(status="accepted", events=len(outcome.events), reason=None), outcome


async def _place(log: Log, batch: Batch, asked: OutsideOrder, context: Context) -> Outcome:
    order_id = imported("order", batch.source, asked.number)
    command = PlaceOrder(order_id=order_id, occurred_at=asked.placed_at, **_common(batch, asked))
    return await handle(log, order, order_id, command, context=_alike(context, order_id))


async def _issue(log: Log, batch: Batch, asked: OutsideCreditNote, context: Context) -> Outcome:
    note_id = imported("credit-note", batch.source, asked.number)
    command = IssueCredit(credit_note_id=note_id, occurred_at=asked.issued_at, **_common(batch, asked))
    return await handle(log, credit_note, note_id, command, context=_alike(context, note_id))


def _common(batch: Batch, asked: OutsideOrder | OutsideCreditNote) -> dict[str, Any]:
    return {
        "timezone": batch.timezone,
        "customer_id": imported("customer", batch.source, asked.customer),
        "source": batch.source,
        "number": asked.number,
        "currency": batch.currency,
        "lines": asked.lines,
    }


def _alike(context: Context, id_: UUID) -> Context:
    """The context under the one command id that an import of this thing has, whoever runs it."""
    return replace(context, command_id=uuid5(NS, str(id_)))
