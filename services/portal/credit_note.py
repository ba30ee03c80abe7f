"""A credit note: issued once, for one order or for none that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.portal.events import CreditIssued
from services.portal.lines import DEFAULT_SOURCE, MAX_LINES, Item, Source, check_size, priced, short_number, total
from shared.decider import Command, Decider
from shared.errors import Refused
from shared.events import Event
from shared.values import Code, Currency


class NewCreditNote(Command):
    """A credit note as somebody enters one; amounts are positive, the number is made of the id when none is given."""

    customer_id: UUID
    order_id: UUID | None = None
    source: Source = DEFAULT_SOURCE
    number: Code | None = None
    currency: Currency
    lines: Annotated[tuple[Item, ...], Field(max_length=MAX_LINES)]


class IssueCredit(NewCreditNote):
    """Money is owed to a customer: a credit note under a new id."""

    credit_note_id: UUID


@dataclass(frozen=True)
class CreditNote:
    """What the rules need to know of a credit note."""

    issued: CreditIssued | None = None


def decide(command: IssueCredit, state: CreditNote) -> Sequence[Event]:
    """What a command leads to."""
    if state.issued is not None:
        raise Refused(f"credit note {state.issued.number} was issued before", field="number", kind="conflict")
    lines = priced(command.lines, command.currency)
    amount = total(lines)
    if amount == 0:
        raise Refused("a credit note needs an amount above 0", field="lines")
    event = CreditIssued(
        customer_id=command.customer_id,
        credit_note_id=command.credit_note_id,
        order_id=command.order_id,
        source=command.source,
        number=command.number or short_number(command.credit_note_id),
        currency=command.currency,
        business_day=command.day,
        lines=lines,
        line_count=len(lines),
        quantity=sum(line.quantity for line in lines),
        total_minor=amount,
    )
    check_size(event, len(lines))
    return [event]


def evolve(state: CreditNote, event: Event) -> CreditNote:
    """The credit note after an event."""
    return CreditNote(event) if isinstance(event, CreditIssued) else state


credit_note = Decider("credit-note", CreditNote(), decide, evolve)
