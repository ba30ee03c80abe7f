"""Who is who: which systems know a customer, whose an alias is, and who is the same as whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import sqlalchemy as sa

from services.contacts.events import CustomerRegistered, CustomersMerged, CustomersUnmerged, IdentifierLinked
from shared.envelope import Recorded
from shared.projections import Document, EventId, Snapshot, Subject
from shared.projections.identity import Survivor, root


@dataclass(frozen=True)
class KnownBy:
    """The systems that know a customer."""

    sources: tuple[str, ...] = ()


known_by = Document("known_by", KnownBy, key=Subject("customer"))


def _known(row: KnownBy, source: str) -> KnownBy:
    return replace(row, sources=tuple(sorted({*row.sources, source})))


@known_by.on(CustomerRegistered)
def _(row: KnownBy, event: CustomerRegistered, _at: Recorded) -> KnownBy:
    return _known(row, event.alias.source) if event.alias else row


@known_by.on(IdentifierLinked)
def _(row: KnownBy, event: IdentifierLinked, _at: Recorded) -> KnownBy:
    return _known(row, event.source)


@dataclass(frozen=True)
class Identifier:
    """Whose an alias is; of several events that give it away, the one at the lowest position counts."""

    source: str = ""
    outside_id: str = ""
    customer: str = ""
    position: int = 0


identifiers = Document(
    "identifiers", Identifier, key=EventId("event"), about="customer", indexes=(("source", "outside_id"), "customer")
)


@identifiers.on(CustomerRegistered)
def _(_row: Identifier, event: CustomerRegistered, at: Recorded) -> Identifier | None:
    alias = event.alias
    return Identifier(alias.source, alias.outside_id, at.subject, at.position) if alias else None


@identifiers.on(IdentifierLinked)
def _(_row: Identifier, event: IdentifierLinked, at: Recorded) -> Identifier:
    return Identifier(event.source, event.outside_id, at.subject, at.position)


identity = Document("identity", Survivor, key=Subject("customer"), indexes=("survivor",))


@identity.on(CustomersMerged)
def _(_row: Survivor, event: CustomersMerged, at: Recorded) -> Survivor:
    return Survivor(f"customer-{event.survivor_id}", at.position)


@identity.on(CustomersUnmerged)
def _(_row: Survivor, _event: CustomersUnmerged, at: Recorded) -> Survivor:
    return Survivor("", at.position)


@dataclass(frozen=True)
class Merges:
    """Who is the same as whom: everybody who was absorbed, with their last survivor."""

    into: Mapping[str, str]

    def survivor(self, subject: str) -> str:
        """Under whom a customer counts."""
        return self.into.get(subject, subject)

    def members(self, subjects: Collection[str]) -> dict[str, list[str]]:
        """Everybody who counts together with each of some customers, the last survivor first."""
        absorbed = defaultdict(list)
        for each, survivor in self.into.items():
            absorbed[survivor].append(each)
        roots = {subject: self.survivor(subject) for subject in subjects}
        return {subject: [of, *absorbed[of]] for subject, of in roots.items()}


def merges(db: Snapshot) -> Merges:
    """All merges that stand."""
    c = identity.c
    rows = db.execute(sa.select(c.customer, c.survivor, c.position).where(c.survivor != "").order_by(c.customer))
    survivors = {row.customer: Survivor(row.survivor, row.position) for row in rows}
    into = {subject: root(subject, survivors) for subject in survivors}
    return Merges({subject: survivor for subject, survivor in into.items() if survivor != subject})


def of_source(source: str) -> sa.Select[tuple[str]]:
    """Whom a system knows."""
    return sa.select(identifiers.c.customer).where(identifiers.c.source == source)
