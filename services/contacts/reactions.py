"""What follows from an erasure: whoever was absorbed is erased too, and the keys are destroyed.

Markers in the keyring say how far this is, so that no checkpoint has to: a key that is still there is work to do, also
after keys were restored from a backup that is older than an erasure.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple
from uuid import UUID, uuid5

from services.contacts.customer import customer
from services.contacts.events import SubjectErased
from services.contacts.standing import EraseAbsorbed
from shared.crashpoints import crashpoint
from shared.decider import Context, Log, Outcome, handle
from shared.envelope import Recorded
from shared.errors import UnreadableEvent


class Absorbed(NamedTuple):
    """A customer that was erased with its survivor."""

    id: UUID
    outcome: Outcome


async def carry_out(log: Log, erasure: Recorded) -> list[Absorbed]:
    """Do what an erasure entails; as often as somebody asks. The erased customer's own key goes last."""
    event = log.codec.decode(erasure)
    if not isinstance(event, SubjectErased):
        raise UnreadableEvent(f"{erasure.type} at {erasure.position} erases nobody")
    done = []
    for id_ in event.absorbed:
        outcome = await handle(log, customer, id_, EraseAbsorbed(reason=event.reason), context=_context(erasure, id_))
        crashpoint("erasure.absorbed")
        await asyncio.to_thread(log.keyring.destroy, outcome.subject)
        done.append(Absorbed(id_, outcome))
    await asyncio.to_thread(log.keyring.destroy, erasure.subject)
    return done


async def catch_up(log: Log) -> None:
    """Carry out every erasure of the log that is not complete; run it before anything is served."""
    destroyed = await asyncio.to_thread(log.keyring.destroyed)
    async for page in log.store.pages(0, types=[SubjectErased.type]):
        for event in page.events:
            if event.subject not in destroyed:
                await carry_out(log, event)


def _context(erasure: Recorded, absorbed: UUID) -> Context:
    meta = erasure.meta
    return Context(
        actor=meta.actor,
        command_id=uuid5(UUID(meta.command_id), str(absorbed)),
        correlation_id=UUID(meta.correlation_id) if meta.correlation_id else None,
        causation_id=erasure.uuid,
        on_behalf_of=meta.on_behalf_of,
    )
