"""What the pages of interactions call a customer, taken from what contacts publishes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from services.contacts.events import CustomerRegistered, CustomerRenamed, IdentifierLinked
from shared.envelope import Recorded
from shared.projections import Document, Snapshot, Subject


@dataclass(frozen=True)
class Row:
    """A customer's name, and the id of another system for one without a name."""

    name: str | None = None
    alias: str | None = None


names = Document("names", Row, key=Subject("customer"))


@names.on(CustomerRegistered)
def _(_row: Row, event: CustomerRegistered, _at: Recorded) -> Row:
    return Row(event.name, event.alias.outside_id if event.alias else None)


@names.on(CustomerRenamed)
def _(row: Row, event: CustomerRenamed, _at: Recorded) -> Row:
    return replace(row, name=event.name)


@names.on(IdentifierLinked)
def _(row: Row, event: IdentifierLinked, _at: Recorded) -> Row:
    return replace(row, alias=row.alias or event.outside_id)


class Customer(NamedTuple):
    """A customer that contacts knows; `name` is None when nothing tells what to call them."""

    id: UUID
    name: str | None


def known(db: Snapshot, customer_id: UUID) -> Customer | None:
    """One customer, or None when contacts has not published any such."""
    called = sa.func.coalesce(names.c.name, names.c.alias)
    row = db.execute(sa.select(called).where(names.c.customer == f"customer-{customer_id}")).one_or_none()
    return None if row is None else Customer(customer_id, row[0])
