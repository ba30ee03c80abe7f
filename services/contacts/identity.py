"""Identity: which customers were absorbed into which, and who counts for them."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import sqlalchemy as sa

from services.contacts.events import CustomersMerged, CustomersUnmerged
from shared.envelope import Recorded
from shared.projections import Document, Snapshot, Subject
from shared.projections.identity import Survivor, root

_PREFIX = "customer-"
identity = Document("identity", Survivor, key=Subject("customer"), indexes=("survivor",))


@identity.on(CustomersMerged)
def _(_row: Survivor, event: CustomersMerged, at: Recorded) -> Survivor:
    return Survivor(f"{_PREFIX}{event.survivor_id}", at.position)


@identity.on(CustomersUnmerged)
def _(_row: Survivor, _event: CustomersUnmerged, _at: Recorded) -> None:
    return None


def survivor(db: Snapshot, id_: UUID) -> UUID:
    """Who counts for a customer: itself unless it was absorbed, else the last of those who absorbed it."""
    subject = f"{_PREFIX}{id_}"
    survivors: dict[str, Survivor] = {}
    following: str | None = subject
    while following is not None and following not in survivors:
        c = identity.c
        query = sa.select(c.survivor, c.position).where(c.customer == following)
        found = db.execute(query).one_or_none()
        if found is not None:
            survivors[following] = Survivor(found.survivor, found.position)
        following = found.survivor if found is not None else None
    return _id(root(subject, survivors))


def absorbed(db: Snapshot, id_: UUID) -> list[UUID]:
    """Everybody who was absorbed into a customer, directly or through others."""
    return [_id(subject) for subject in _below(db, {f"{_PREFIX}{id_}"})]


def _below(db: Snapshot, survivors: set[str]) -> Iterator[str]:
    seen = set(survivors)
    while survivors:
        query = sa.select(identity.c.customer).where(identity.c.survivor.in_(survivors))
        survivors = set(db.execute(query).scalars()) - seen
        seen |= survivors
        yield from sorted(survivors)


def _id(subject: str) -> UUID:
    return UUID(subject.removeprefix(_PREFIX))
