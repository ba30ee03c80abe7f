"""Erasing a customer with everybody who was absorbed into it: first the fact, then the keys."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from services.contacts import directory, identity, reactions
from services.contacts.changing import edit
from services.contacts.customer import customer
from services.contacts.events import SubjectErased
from services.contacts.standing import EraseCustomer, Erasure
from shared.crashpoints import crashpoint
from shared.decider import Context, Log, Outcome
from shared.envelope import Recorded
from shared.errors import SubjectIsErased
from shared.service import Platform
from shared.web.serving import ask


async def erase(
    here: Platform, id_: UUID, asked: Erasure, context: Context, expected: int
) -> list[tuple[UUID, Outcome]]:
    """Erase a customer that the caller saw in the version `expected`; the outcomes of all who went, it comes first.

    Raises:
        Refused: there is no such customer, or the rules say no.
        Stale: the customer has changed since.
        TooFarBehind: who was absorbed is not known yet.
        Unreachable: the fact is recorded, but a key not destroyed for good; repeat the command.
    """
    log = here.log
    await here.models.reached(directory.family, await log.store.position())
    absorbed = await ask(here, directory.family, lambda db: identity.absorbed(db, id_))
    command = EraseCustomer(**dict(asked), absorbed=tuple(absorbed))
    outcome = await edit(log, id_, command, context, expected)
    crashpoint("erasure.recorded")
    erasure = await erasure_of(log, id_)
    others = await reactions.carry_out(log, erasure) if erasure else []
    return [(id_, outcome), *others]


async def erasure_of(log: Log, id_: UUID) -> Recorded | None:
    """The event that erased a customer, or None."""
    history = await log.store.load(f"{customer.category}-{id_}")
    return next((recorded for recorded in history.events if recorded.type == SubjectErased.type), None)


async def require_not_erased(log: Log, reference: str) -> None:
    """Tell a customer that was erased from one that never was; an alias goes with its customer, an id stays.

    Raises:
        SubjectIsErased: the customer was.
    """
    with suppress(ValueError):
        if await erasure_of(log, UUID(reference)) is not None:
            raise SubjectIsErased(f"customer {reference} was erased")
