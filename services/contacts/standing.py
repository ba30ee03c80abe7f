"""Standing: whether a customer counts for itself, was absorbed into another one, or was erased."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import UUID

from pydantic import Field

from services.contacts.events import CustomersMerged, CustomersUnmerged, Ground, SubjectErased
from shared.decider import Command
from shared.errors import Refused
from shared.events import Event
from shared.values import Text


@dataclass(frozen=True)
class Standing:
    """How a customer stands; `survivor_id` is None for one that was not absorbed."""

    survivor_id: UUID | None = None
    erased: bool = False

    def after(self, event: CustomersMerged | CustomersUnmerged | SubjectErased) -> Standing:
        """The standing after an event."""
        match event:
            case CustomersMerged(survivor_id=survivor_id):
                return replace(self, survivor_id=survivor_id)
            case CustomersUnmerged():
                return replace(self, survivor_id=None)
            case SubjectErased():
                return replace(self, erased=True)

    def require_present(self) -> None:
        """Let no more be said of somebody who was erased.

        Raises:
            Refused: the customer was.
        """
        if self.erased:
            raise Refused("the customer was erased; nothing new is recorded about it", kind="conflict")

    def decide(self, command: Restanding, customer_id: UUID) -> Iterator[Event]:
        """What a command leads to; whoever was erased before its survivor is not erased again."""
        match command:
            case MergeCustomer(survivor=survivor_id, reason=reason):
                if survivor_id == customer_id:
                    raise Refused("must be another customer", field="survivor")
                self._require_unabsorbed("unmerge it first")
                _require_survivor(command.standing)
                yield CustomersMerged(customer_id=customer_id, survivor_id=survivor_id, reason=reason)
            case UnmergeCustomer():
                if self.survivor_id is None:
                    raise Refused("the customer is not absorbed into another one", kind="conflict")
                yield CustomersUnmerged(customer_id=customer_id, survivor_id=self.survivor_id)
            case EraseCustomer(reason=reason, absorbed=absorbed):
                self._require_unabsorbed("erase that one, or unmerge this one first")
                yield SubjectErased(customer_id=customer_id, reason=reason, absorbed=absorbed)
            case EraseAbsorbed(reason=reason):
                if not self.erased:
                    yield SubjectErased(customer_id=customer_id, reason=reason, absorbed=())

    def _require_unabsorbed(self, instead: str) -> None:
        if self.survivor_id is not None:
            raise Refused(f"the customer is absorbed into {self.survivor_id}: {instead}", kind="conflict")


def _require_survivor(standing: Standing | None) -> None:
    if standing is None:
        raise Refused("no such customer", field="survivor")
    if standing.erased:
        raise Refused("was erased", field="survivor", kind="conflict")
    if standing.survivor_id is not None:
        # This keeps out circles too: nobody who was absorbed absorbs.
        message = f"is itself absorbed into {standing.survivor_id}: merge into that one"
        raise Refused(message, field="survivor", kind="conflict")


class Merger(Command):
    """Who turned out to be the same as a customer."""

    survivor: UUID = Field(description="The customer that both are from now on.")
    reason: Text | None = None


class MergeCustomer(Merger):
    """Have another customer absorb this one.

    How the survivor stands was looked up and not asked for (None: there is none): it is no part of what is repeated.
    """

    standing: Standing | None = Field(None, exclude=True)


class UnmergeCustomer(Command):
    """Take a merge back: the customer counts for itself again."""


class Erasure(Command):
    """Why a customer is to be forgotten."""

    reason: Ground | None = Field(None, description="On which ground the data must go.")


class EraseCustomer(Erasure):
    """Forget the customer for ever, and everybody who was absorbed into it: looked up and not asked for, too."""

    absorbed: tuple[UUID, ...] = Field((), exclude=True)


class EraseAbsorbed(Erasure):
    """Forget a customer together with its survivor."""


Restanding = MergeCustomer | UnmergeCustomer | EraseCustomer | EraseAbsorbed
"""A command that is about how a customer stands."""
