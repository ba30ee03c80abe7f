"""How routes and pages change a customer: the same commands, the same refusals."""

from __future__ import annotations

from functools import reduce
from uuid import UUID

from services.contacts.customer import Customer, Edit, NewCustomer, RegisterCustomer, customer
from services.contacts.standing import MergeCustomer, Merger
from shared import ids
from shared.decider import Context, Log, Outcome, handle
from shared.errors import Refused, Stale
from shared.service import Platform
from shared.web.commands import Answers


def answers(here: Platform) -> Answers:
    """Turns outcomes into answers and position tokens of this service."""
    return Answers(here.log.store.id, "crm.contacts.v1")


async def register(log: Log, new: NewCustomer, context: Context) -> tuple[UUID, Outcome]:
    """Register a customer under an id that follows from the command's."""
    id_ = ids.created(context.command_id, "customer")
    command = RegisterCustomer(customer_id=id_, **vars(new))
    return id_, await handle(log, customer, id_, command, context=context)


async def edit(log: Log, id_: UUID, command: Edit, context: Context, expected: int) -> Outcome:
    """Edit a customer that the caller saw in the version `expected`.

    Raises:
        Refused: there is no such customer, or the rules say no.
        Stale: the customer has changed since.
    """
    try:
        return await handle(log, customer, id_, command, context=context, expected=expected)
    except Stale as stale:
        if stale.current < 0:
            raise Refused("no such customer", kind="missing") from None
        raise


async def merge(log: Log, id_: UUID, asked: Merger, context: Context, expected: int) -> Outcome:
    """Have a customer absorbed by another one, if that one stands for itself.

    Two merges at the same moment may still close a circle: whoever reads it cuts it where it was closed.

    Raises:
        Refused: there is no such customer or no such survivor, or the rules say no.
        Stale: the customer has changed since.
    """
    survivor = await _state(log, asked.survivor)
    standing = survivor.standing if survivor.id is not None else None
    return await edit(log, id_, MergeCustomer(**dict(asked), standing=standing), context, expected)


async def _state(log: Log, id_: UUID) -> Customer:
    history = await log.store.load(f"{customer.category}-{id_}")
    await log.keyring.ready({recorded.subject for recorded in history.events})
    return reduce(customer.evolve, map(log.codec.decode, history.events), customer.initial)
