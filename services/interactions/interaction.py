"""Interaction: one contact with one customer in one channel at one time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Final, Self
from uuid import UUID

from pydantic import Field, PrivateAttr

from services.interactions.events import Direction, InteractionCorrected, InteractionRecorded, Kind
from shared.decider import Command, Decider
from shared.errors import Refused
from shared.events import Event
from shared.values import Prose, Text

CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""How far ahead of ours the clock of who records may be."""

Minutes = Annotated[int, Field(strict=True, ge=0, le=24 * 60)]
"""How long a contact took: whole minutes, at most a day."""


class NewInteraction(Command):
    """A contact as somebody enters one; without a handler it is whoever records it."""

    customer_id: UUID
    kind: Kind
    direction: Direction
    summary: Prose
    handler: Text | None = None
    duration_minutes: Minutes | None = None


class RecordInteraction(NewInteraction):
    """Record a contact that took place."""

    interaction_id: UUID
    handler: Text
    _recorded: datetime | None = PrivateAttr(None)

    def stamped(self, now: datetime, timezone: str) -> Self:
        """The command with its time and zone filled in; remembers when it was recorded."""
        stamped = super().stamped(now, timezone)
        stamped._recorded = now  # noqa: SLF001, a copy of its own class
        return stamped

    @property
    def ahead(self) -> timedelta:
        """How much later than its recording the contact is said to be."""
        return self.moment - (self._recorded or self.moment)


class CorrectInteraction(Command):
    """Put right what was recorded; what is left out stays."""

    kind: Kind | None = None
    direction: Direction | None = None
    summary: Prose | None = None
    duration_minutes: Minutes | None = None
    reason: Text


@dataclass(frozen=True)
class Interaction:
    """What the rules need to know of an interaction: how it stands after all corrections."""

    recorded: InteractionRecorded | None = None


def decide(command: RecordInteraction | CorrectInteraction, state: Interaction) -> Sequence[Event]:
    """What a command leads to; a correction that changes nothing leads to nothing."""
    match command:
        case RecordInteraction():
            return [_recorded(command, state)]
        case CorrectInteraction():
            return _corrected(command, state)


def evolve(state: Interaction, event: Event) -> Interaction:
    """The interaction after an event."""
    match event:
        case InteractionRecorded():
            return Interaction(event)
        case InteractionCorrected() if state.recorded is not None:
            right = {name: getattr(event, name) for name in ("kind", "direction", "summary", "duration_minutes")}
            return replace(state, recorded=state.recorded.model_copy(update=right))
        case _:
            return state


def _recorded(command: RecordInteraction, state: Interaction) -> InteractionRecorded:
    if state.recorded is not None:
        raise Refused("this interaction is recorded", field="interaction_id", kind="conflict")
    if command.ahead > CLOCKS_DIFFER:
        raise Refused("must not lie in the future; plan an appointment instead", field="occurred_at")
    return InteractionRecorded(
        customer_id=command.customer_id,
        interaction_id=command.interaction_id,
        kind=command.kind,
        direction=command.direction,
        business_day=command.day,
        summary=command.summary,
        handler=command.handler,
        duration_minutes=command.duration_minutes,
    )


def _corrected(command: CorrectInteraction, state: Interaction) -> Sequence[Event]:
    was = state.recorded
    if was is None:
        raise Refused("no such interaction", kind="missing")
    event = InteractionCorrected(
        customer_id=was.customer_id,
        interaction_id=was.interaction_id,
        kind=command.kind or was.kind,
        direction=command.direction or was.direction,
        summary=command.summary or was.summary,
        duration_minutes=was.duration_minutes if command.duration_minutes is None else command.duration_minutes,
        reason=command.reason,
    )
    return [event] if evolve(state, event) != state else []


interaction = Decider("interaction", Interaction(), decide, evolve)
