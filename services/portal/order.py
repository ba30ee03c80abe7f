"""An order: placed, refunded in parts, or cancelled as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.portal.events import OrderCancelled, OrderPlaced, OrderRefunded
from services.portal.lines import DEFAULT_SOURCE, MAX_LINES, Item, Source, check_size, priced, short_number, total
from shared.decider import Command, Decider
from shared.errors import Refused
from shared.events import Event
from shared.values import Code, Currency, Minor, Text


class NewOrder(Command):
    """An order as somebody enters one; the number is made of the order's id when none is given."""

    customer_id: UUID
    source: Source = DEFAULT_SOURCE
    number: Code | None = None
    currency: Currency
    lines: Annotated[tuple[Item, ...], Field(max_length=MAX_LINES)]


class PlaceOrder(NewOrder):
    """A customer buys something: an order under a new id."""

    order_id: UUID


class CancelOrder(Command):
    """The whole order is taken back."""

    reason: Text | None = None


class RefundOrder(Command):
    """Some of the order's money goes back."""

    amount_minor: Annotated[Minor, Field(gt=0)]
    reason: Text | None = None


@dataclass(frozen=True)
class Order:
    """What the rules need to know of an order."""

    placed: OrderPlaced | None = None
    refunded_minor: int = 0
    cancelled: bool = False


def decide(command: PlaceOrder | CancelOrder | RefundOrder, state: Order) -> Sequence[Event]:
    """What a command leads to."""
    if isinstance(command, PlaceOrder):
        return [_place(command, state)]
    placed = state.placed
    if placed is None:
        raise Refused("no such order", kind="missing")
    if state.cancelled:
        raise Refused(f"order {placed.number} is cancelled", kind="conflict")
    match command:
        case CancelOrder():
            return [_cancel(command, placed, state.refunded_minor)]
        case RefundOrder():
            return [_refund(command, placed, state.refunded_minor)]


def evolve(state: Order, event: Event) -> Order:
    """The order after an event."""
    match event:
        case OrderPlaced():
            return replace(state, placed=event)
        case OrderRefunded():
            return replace(state, refunded_minor=state.refunded_minor + event.amount_minor)
        case OrderCancelled():
            return replace(state, cancelled=True)
        case _:
            return state


def _place(command: PlaceOrder, state: Order) -> OrderPlaced:
    if state.placed is not None:
        raise Refused(f"order {state.placed.number} was placed before", field="number", kind="conflict")
    lines = priced(command.lines, command.currency)
    event = OrderPlaced(
        customer_id=command.customer_id,
        order_id=command.order_id,
        source=command.source,
        number=command.number or short_number(command.order_id),
        currency=command.currency,
        business_day=command.day,
        lines=lines,
        line_count=len(lines),
        quantity=sum(line.quantity for line in lines),
        total_minor=total(lines),
    )
    check_size(event, len(lines))
    return event


def _cancel(command: CancelOrder, placed: OrderPlaced, refunded_minor: int) -> OrderCancelled:
    return OrderCancelled(
        customer_id=placed.customer_id,
        order_id=placed.order_id,
        source=placed.source,
        number=placed.number,
        currency=placed.currency,
        order_day=placed.business_day,
        business_day=command.day,
        lines=placed.lines,
        line_count=placed.line_count,
        quantity=placed.quantity,
        total_minor=placed.total_minor,
        refunded_minor=refunded_minor,
        reason=command.reason,
    )


def _refund(command: RefundOrder, placed: OrderPlaced, refunded_minor: int) -> OrderRefunded:
    left = placed.total_minor - refunded_minor
    if command.amount_minor > left:
        raise Refused(f"must be at most {left}, which is left of the order", field="amount_minor")
    return OrderRefunded(
        customer_id=placed.customer_id,
        order_id=placed.order_id,
        source=placed.source,
        currency=placed.currency,
        order_day=placed.business_day,
        business_day=command.day,
        amount_minor=command.amount_minor,
        reason=command.reason,
    )


order = Decider("order", Order(), decide, evolve)
