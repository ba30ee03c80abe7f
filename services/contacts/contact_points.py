"""Contact points: the numbered ways to reach one customer, and what each channel demands of an address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from pydantic import Field, TypeAdapter, ValidationError

from services.contacts.events import (
    Channel,
    ContactPointAdded,
    ContactPointCorrected,
    ContactPointRemoved,
    Purpose,
)
from shared.decider import Command
from shared.errors import Refused
from shared.events import Event
from shared.values import Email, Phone, Text

_VALUES: Final[dict[Channel, TypeAdapter[str]]] = {
    "email": TypeAdapter(Email),
    "phone": TypeAdapter(Phone),
    "post": TypeAdapter(Text),
    "messenger": TypeAdapter(Text),
}


class AddContactPoint(Command):
    """Record one more way to reach the customer."""

    channel: Channel
    value: Text
    purpose: Purpose = "general"


class Correction(Command):
    """How a contact point is right; without a purpose it keeps its own."""

    value: Text
    purpose: Purpose | None = None


class CorrectContactPoint(Correction):
    """Put a contact point right."""

    point: int = Field(ge=1, description="Its number among the customer's contact points.")


class RemoveContactPoint(Command):
    """Stop reaching the customer this way."""

    point: int = Field(ge=1, description="Its number among the customer's contact points.")


class ContactPoint(NamedTuple):
    """An address in one channel, written as the channel writes it."""

    channel: Channel
    value: str
    purpose: Purpose

    @classmethod
    def of(cls, channel: Channel, value: str, purpose: Purpose) -> ContactPoint:
        """A contact point whose value fits its channel: an e-mail address, a phone number in E.164, else a text.

        Raises:
            Refused: the value is none of this channel.
        """
        try:
            return cls(channel, _VALUES[channel].validate_python(value), purpose)
        except ValidationError as error:
            message = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise Refused(message, field="value") from None


@dataclass(frozen=True)
class ContactPoints:
    """The contact points of one customer; a number is never given twice, also after a removal."""

    numbered: Mapping[int, ContactPoint] = field(default_factory=dict)
    last: int = 0

    def after(self, event: ContactPointAdded | ContactPointCorrected | ContactPointRemoved) -> ContactPoints:
        """The contact points after an event."""
        kept = {number: point for number, point in self.numbered.items() if number != event.point}
        if isinstance(event, ContactPointRemoved):
            return ContactPoints(kept, self.last)
        given = ContactPoint(event.channel, event.value, event.purpose)
        return ContactPoints({**kept, event.point: given}, max(self.last, event.point))

    def decide(
        self, command: AddContactPoint | CorrectContactPoint | RemoveContactPoint, customer_id: UUID
    ) -> Iterator[Event]:
        """What a command leads to; what is known already leads to nothing."""
        match command:
            case AddContactPoint():
                yield from self.added(customer_id, ContactPoint.of(command.channel, command.value, command.purpose))
            case CorrectContactPoint():
                yield from self._corrected(customer_id, command)
            case RemoveContactPoint(point=number):
                yield ContactPointRemoved(customer_id=customer_id, point=number, channel=self._find(number).channel)

    def added(self, customer_id: UUID, *points: ContactPoint) -> Iterator[ContactPointAdded]:
        """One event for each of these points that is new."""
        new = [point for point in points if point not in self.numbered.values()]
        for number, (channel, value, purpose) in enumerate(new, start=self.last + 1):
            yield ContactPointAdded(
                customer_id=customer_id, point=number, channel=channel, value=value, purpose=purpose
            )

    def _corrected(self, customer_id: UUID, command: CorrectContactPoint) -> Iterator[Event]:
        wrong = self._find(command.point)
        channel, value, purpose = right = ContactPoint.of(
            wrong.channel, command.value, command.purpose or wrong.purpose
        )
        if right != wrong:
            yield ContactPointCorrected(
                customer_id=customer_id, point=command.point, channel=channel, value=value, purpose=purpose
            )

    def _find(self, number: int) -> ContactPoint:
        try:
            return self.numbered[number]
        except KeyError:
            raise Refused("no such contact point", kind="missing") from None
