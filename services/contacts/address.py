"""Address: where a customer lives or sits."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from services.contacts.events import AddressMoved
from shared.decider import Command
from shared.values import Code, Country, Name, Text


class MoveAddress(Command):
    """Record where the customer lives or sits now."""

    lines: list[Text] = Field(min_length=1, max_length=5)
    postal_code: Code | None = None
    city: Name
    country: Country

    def moved(self, customer_id: UUID) -> AddressMoved:
        """What has happened when the customer was elsewhere before."""
        return AddressMoved(
            customer_id=customer_id,
            lines="\n".join(self.lines),
            postal_code=self.postal_code,
            city=self.city,
            country=self.country,
        )
