"""What the portal's pages call a customer, taken from what contacts publishes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.contacts.events import CustomerRegistered, CustomerRenamed, IdentifierLinked
from shared.envelope import Recorded
from shared.projections import Document, Subject


@dataclass(frozen=True)
class Buyer:
    """A customer's name, and the id of another system for one without a name."""

    name: str | None = None
    alias: str | None = None


buyers = Document("buyers", Buyer, key=Subject("customer"))


@buyers.on(CustomerRegistered)
def _(_row: Buyer, event: CustomerRegistered, _at: Recorded) -> Buyer:
    return Buyer(event.name, event.alias.outside_id if event.alias else None)


@buyers.on(CustomerRenamed)
def _(row: Buyer, event: CustomerRenamed, _at: Recorded) -> Buyer:
    return replace(row, name=event.name)


@buyers.on(IdentifierLinked)
def _(row: Buyer, event: IdentifierLinked, _at: Recorded) -> Buyer:
    return replace(row, alias=row.alias or event.outside_id)
