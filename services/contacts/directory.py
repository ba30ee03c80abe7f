"""The directory: every customer with all that is known of it, and when it was last in touch or ordered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from services.contacts.events import (
    AddressMoved,
    ContactPointAdded,
    ContactPointCorrected,
    ContactPointRemoved,
    CountryCorrected,
    CustomerRegistered,
    CustomerRenamed,
    CustomersMerged,
    CustomersUnmerged,
    IdentifierLinked,
    KindCorrected,
    SubjectErased,
)
from services.contacts.identity import identity
from services.contacts.search_text import joined, sort_key
from services.interactions.events import InteractionRecorded
from services.portal.events import OrderCancelled, OrderPlaced
from shared.envelope import Recorded
from shared.projections import Derived, Document, EventId, Family, Rows, Subject, Sum, Text, Whole, f

Json = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A customer; `sort_key` is empty before it is registered.

    `told` says of each fact when it was told, by whom, and in which version of the customer.
    """

    name: str | None = None
    kind: str = "individual"
    country: str | None = None
    internal: bool = False
    aliases: tuple[str, ...] = ()
    points: tuple[Json, ...] = ()
    address: Json | None = None
    told: Json = field(default_factory=dict)
    registered_at: str = ""
    sort_key: str = ""
    search: str = ""
    version: int = -1


customers = Document(
    "customers",
    Row,
    key=Subject("customer"),
    indexes=(
        ("sort_key", "customer", "search"),  # what is searched stands in it, so that a search reads this index alone
        ("kind", "sort_key", "customer"),
        ("internal", "sort_key", "customer"),
    ),
)


def _told(at: Recorded) -> Json:
    return {"at": at.meta.occurred_at, "by": at.meta.actor, "version": at.version}


def _changed(row: Row, at: Recorded, *facts: str, **changes: Any) -> Row:
    """The row with these facts told anew, and what is searched and sorted by brought up to date."""
    told = {**row.told, **dict.fromkeys(facts, _told(at))}
    now = replace(row, told=told, version=at.version, **changes)
    return replace(
        now,
        sort_key=sort_key(now.name, next(iter(now.aliases), "")) if now.registered_at else "",
        search=joined([now.name, *now.aliases, *(point["value"] for point in now.points)]),
    )


@customers.on(CustomerRegistered)
def _(row: Row, event: CustomerRegistered, at: Recorded) -> Row:
    return _changed(
        row,
        at,
        *(fact for fact in ("kind", "name", "country") if getattr(event, fact) is not None),
        name=event.name,
        kind=event.kind,
        country=event.country,
        internal=event.internal,
        aliases=(f"{event.alias.source}:{event.alias.outside_id}",) if event.alias else (),
        registered_at=at.meta.occurred_at,
    )


@customers.on(CustomerRenamed)
def _(row: Row, event: CustomerRenamed, at: Recorded) -> Row:
    return _changed(row, at, "name", name=event.name)


@customers.on(KindCorrected)
def _(row: Row, event: KindCorrected, at: Recorded) -> Row:
    return _changed(row, at, "kind", kind=event.kind)


@customers.on(CountryCorrected)
def _(row: Row, event: CountryCorrected, at: Recorded) -> Row:
    return _changed(row, at, "country", country=event.country)


@customers.on(IdentifierLinked)
def _(row: Row, event: IdentifierLinked, at: Recorded) -> Row:
    return _changed(row, at, aliases=(*row.aliases, f"{event.source}:{event.outside_id}"))


def _point(event: ContactPointAdded | ContactPointCorrected, at: Recorded) -> Json:
    given = {"point": event.point, "channel": event.channel, "value": event.value, "purpose": event.purpose}
    return {**given, **_told(at)}


@customers.on(ContactPointAdded)
def _(row: Row, event: ContactPointAdded, at: Recorded) -> Row:
    return _changed(row, at, points=(*row.points, _point(event, at)))


@customers.on(ContactPointCorrected)
def _(row: Row, event: ContactPointCorrected, at: Recorded) -> Row:
    right = _point(event, at)
    return _changed(row, at, points=tuple(right if p["point"] == event.point else p for p in row.points))


@customers.on(ContactPointRemoved)
def _(row: Row, event: ContactPointRemoved, at: Recorded) -> Row:
    return _changed(row, at, points=tuple(point for point in row.points if point["point"] != event.point))


@customers.on(AddressMoved)
def _(row: Row, event: AddressMoved, at: Recorded) -> Row:
    return _changed(row, at, "address", address=event.model_dump(mode="json", exclude={"customer_id"}))


@customers.on(CustomersMerged)
def _(row: Row, _event: CustomersMerged, at: Recorded) -> Row:
    return replace(row, version=at.version)


@customers.on(CustomersUnmerged)
def _(row: Row, _event: CustomersUnmerged, at: Recorded) -> Row:
    return replace(row, version=at.version)


@dataclass(frozen=True)
class Identifier:
    """Whose the alias `source:outside-id` is; the event at the lowest position counts."""

    alias: str = ""
    customer: str = ""
    position: int = 0


identifiers = Document("identifiers", Identifier, key=EventId("event"), about="customer", indexes=("alias",))


@identifiers.on(CustomerRegistered)
def _(_row: Identifier, event: CustomerRegistered, at: Recorded) -> Identifier | None:
    alias = event.alias
    return Identifier(f"{alias.source}:{alias.outside_id}", at.subject, at.position) if alias else None


@identifiers.on(IdentifierLinked)
def _(_row: Identifier, event: IdentifierLinked, at: Recorded) -> Identifier:
    return Identifier(f"{event.source}:{event.outside_id}", at.subject, at.position)


order_days = Sum("customer_order_days", key=(Subject("customer"), Whole("day")), adds=("orders",))
order_days.on(OrderPlaced, day=f.business_day, orders=+1)
order_days.on(OrderCancelled, day=f.order_day, orders=-1)

contact_days = Sum("customer_contact_days", key=(Subject("customer"), Whole("day")), adds=("contacts",))
contact_days.on(InteractionRecorded, day=f.business_day, contacts=+1)

census = Derived("census", of=(customers,), by="customer", key=(Text("kind"),), adds=("customers",))


@census.group
def _(_customer: str, rows: Rows) -> Iterable[tuple[Any, ...]]:
    for row in rows[customers]:
        if row.sort_key:
            yield row.kind, 1
            if row.internal:
                yield "internal", 1


family = Family(
    "directory",
    version=3,
    tables=(customers, identifiers, identity, order_days, contact_days, census),
    forgets=SubjectErased,
)
