"""What can go wrong, in one tree.

RapportError
├── Refused            a decider says no, with the field and what is allowed
├── Conflict           someone else appended first
├── Stale              the caller edits an older version than the current one
├── Reused             the same command id came with other content
├── TooLarge           an event is over the size that every part of the system can carry
├── UnreadableEvent    a stored payload has no reader: unknown type, missing upcaster, bad data
├── SubjectIsErased    the subject's key was destroyed; nothing new is written about it
├── StoreInUse         another process writes this store
├── StoreFailed        the store could not make an append durable
├── Unreachable        a service or a store does not answer
├── CannotMove         what a folder is to be moved to holds something else (shared.moving)
├── Unsuitable         a folder or file cannot be backed up or restored so (shared.backups); likewise Damaged
├── Fenced             another relay took over (shared.relay); likewise OtherStore and shared.topics.WrongTopic
├── Poisoned           a rebuild met an event that cannot be applied (shared.projections.page)
└── TooFarBehind       a read model has not reached the asked position in time
"""

from __future__ import annotations

from typing import Literal


class RapportError(Exception):
    """Anything that Rapport itself reports."""


class Refused(RapportError):
    """A command that the rules of the business do not allow."""

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        kind: Literal["invalid", "conflict", "missing"] = "invalid",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.kind = kind


class Conflict(RapportError):
    """The stream moved on between load and append."""


class Stale(RapportError):
    """An edit names an older version than the stream has."""

    def __init__(self, current: int) -> None:
        super().__init__(f"the current version is {current}")
        self.current = current


class Reused(RapportError):
    """The same command id was used before with other content."""


class TooLarge(RapportError):
    """An event is larger than the store, the relay and Kafka agree to carry."""


class UnreadableEvent(RapportError):
    """The stored payload has no reader: unknown type, missing upcaster or bad data."""


class SubjectIsErased(RapportError):
    """The subject's key was destroyed; a new one is refused."""


class StoreInUse(RapportError):
    """Another process writes this store."""


class StoreFailed(RapportError):
    """The store could not make an append durable; nothing of it was acknowledged."""


class Unreachable(RapportError):
    """A service or a store does not answer."""


class CannotMove(RapportError):
    """A folder cannot be moved to where it should: the message says what is there that differs."""


class TooFarBehind(RapportError):
    """A read model has not reached the asked position within the time allowed."""

    def __init__(self, asked: int, reached: int) -> None:
        super().__init__(f"position {asked} was asked for, {reached} is reached")
        self.asked = asked
        self.reached = reached
