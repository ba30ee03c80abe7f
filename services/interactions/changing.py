"""How routes and pages record and correct interactions: the same commands, the same refusals."""

from __future__ import annotations

from uuid import UUID

from services.interactions.interaction import CorrectInteraction, NewInteraction, RecordInteraction, interaction
from shared import ids
from shared.decider import Context, Log, Outcome, handle
from shared.errors import Refused, Stale
from shared.service import Platform
from shared.web.commands import Answers


def answers(here: Platform) -> Answers:
    """Turns outcomes into answers and position tokens of this service."""
    return Answers(here.log.store.id, "crm.interactions.v1")


async def record(log: Log, new: NewInteraction, context: Context) -> tuple[UUID, Outcome]:
    """Record an interaction under an id that follows from the command's; its handler is whoever asks if not said."""
    id_ = ids.created(context.command_id, "interaction")
    said = vars(new) | {"handler": new.handler or context.actor}
    return id_, await handle(log, interaction, id_, RecordInteraction(interaction_id=id_, **said), context=context)


async def correct(log: Log, id_: UUID, command: CorrectInteraction, context: Context, expected: int) -> Outcome:
    """Correct an interaction that the caller saw in the version `expected`.

    Raises:
        Refused: there is no such interaction, or the rules say no.
        Stale: it has been corrected since.
    """
    try:
        return await handle(log, interaction, id_, command, context=context, expected=expected)
    except Stale as stale:
        if stale.current < 0:
            raise Refused("no such interaction", kind="missing") from None
        raise
