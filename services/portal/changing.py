"""How routes and pages change orders and products: the same commands, the same refusals."""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

from services.portal.credit_note import IssueCredit, NewCreditNote, credit_note
from services.portal.order import NewOrder, PlaceOrder, order
from shared.decider import Command, Context, Decider, Log, Outcome, handle
from shared.errors import Refused, Stale
from shared.ids import created, imported
from shared.service import Platform
from shared.web.commands import Answers

C = TypeVar("C", bound=Command)
S = TypeVar("S")


def answers(here: Platform) -> Answers:
    """Turns outcomes into answers and position tokens of this service."""
    return Answers(here.log.store.id, "crm.portal.v1")


async def place(log: Log, new: NewOrder, context: Context) -> tuple[UUID, Outcome]:
    """Place an order; one that names its number is the one order of that number and source."""
    id_ = imported("order", new.source, new.number) if new.number else created(context.command_id, "order")
    return id_, await handle(log, order, id_, PlaceOrder(order_id=id_, **vars(new)), context=context)


async def issue(log: Log, new: NewCreditNote, context: Context) -> tuple[UUID, Outcome]:
    """Issue a credit note; one that names its number is the one credit note of that number and source."""
    kind = "credit-note"
    id_ = imported(kind, new.source, new.number) if new.number else created(context.command_id, kind)
    return id_, await handle(log, credit_note, id_, IssueCredit(credit_note_id=id_, **vars(new)), context=context)


async def edit(log: Log, decider: Decider[C, S], id_: UUID, command: C, context: Context, expected: int) -> Outcome:
    """Edit what the caller saw in the version `expected`.

    Raises:
        Refused: there is no such thing, or the rules say no.
        Stale: it has changed since.
    """
    try:
        return await handle(log, decider, id_, command, context=context, expected=expected)
    except Stale as stale:
        if stale.current < 0:
            raise Refused(f"no such {decider.category}", kind="missing") from None
        raise
