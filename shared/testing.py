"""Given, when, then: how the tests of a decider read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import reduce
from typing import Final, Generic, Literal, Self, TypeVar

from shared.decider import Command, Decider
from shared.errors import Refused
from shared.events import Event

NOW: Final = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
"""When commands are given unless a test says otherwise: a Monday morning."""

ZONE: Final = "Europe/Amsterdam"
"""The zone of the business day unless a test says otherwise."""

C = TypeVar("C", bound=Command)
S = TypeVar("S")


@dataclass(frozen=True)
class Spec(Generic[C, S]):
    """`Spec(order).given(placed).when(CancelOrder(…)).then(OrderCancelled(…))`."""

    decider: Decider[C, S]
    now: datetime = NOW
    timezone: str = ZONE
    events: tuple[Event, ...] = ()
    command: C | None = None

    def given(self, *events: Event) -> Self:
        """What happened before."""
        return replace(self, events=self.events + events)

    def when(self, command: C) -> Self:
        """What somebody wants, stamped as `handle()` stamps it."""
        return replace(self, command=command.stamped(self.now, self.timezone))

    def state(self) -> S:
        """What the given events add up to."""
        return reduce(self.decider.evolve, self.events, self.decider.initial)

    def decided(self) -> tuple[Event, ...]:
        """What the command leads to, for a test that looks at a part of it."""
        if self.command is None:
            raise AssertionError("a spec needs when(…) before its outcome")
        events = tuple(self.decider.decide(self.command, self.state()))
        for event in events:
            if type(event).model_validate_json(event.model_dump_json()) != event:
                raise AssertionError(f"{event!r:.3000} is not the same when it is read back from the store")
        return events

    def then(self, *events: Event) -> None:
        """The command leads to exactly these events; to none when none is given."""
        decided = self.decided()
        if decided != events:
            raise AssertionError(f"expected {events!r:.3000}\n but got {decided!r:.3000}")

    def refused(self, *, kind: Literal["invalid", "conflict", "missing"] = "invalid", field: str | None = None) -> str:
        """The command is refused for this kind of reason, naming this field; gives the message to look at."""
        try:
            events = self.decided()
        except Refused as refusal:
            if (refusal.kind, refusal.field) != (kind, field):
                raise AssertionError(f"refused as {refusal.kind} of {refusal.field!r}: {refusal.message}") from refusal
            return refusal.message
        raise AssertionError(f"expected a refusal but got {events!r:.3000}")
