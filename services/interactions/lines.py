"""What happened with customers, over all services: a line for each event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from services.contacts import events as contacts
from services.interactions.events import InteractionCorrected, InteractionRecorded, Kind
from services.portal import events as portal
from shared.envelope import Recorded
from shared.projections import Document, EventId

LineKind = Kind | Literal["order", "customer"]
"""What a line is about: a contact over some channel, an order or its money, what is known of the customer."""

LINE_KINDS: Final[tuple[LineKind, ...]] = (*get_args(Kind), "order", "customer")


@dataclass(frozen=True)
class Row:
    """A line as stored: `place` sorts, `day` is the business day if there is one, nothing in `title` is personal."""

    customer: str = ""
    occurred_at: str = ""
    place: str = ""
    day: int | None = None
    kind: str = ""
    type: str = ""
    title: dict[str, Any] = field(default_factory=dict)
    summary: str | None = None
    reason: str | None = None
    actor: str = ""
    stream: str = ""
    version: int = -1
    position: int = 0


lines = Document(
    "lines",
    Row,
    key=EventId("event"),
    about="customer",
    indexes=(("customer", "place", "event"), ("customer", "kind", "place", "event")),
)


def _line(
    at: Recorded,
    kind: LineKind,
    summary: str | None = None,
    *,
    day: int | None = None,
    reason: str | None = None,
    **title: str | int | None,
) -> Row:
    return Row(
        customer=at.subject,
        occurred_at=at.meta.occurred_at,
        place=f"{at.meta.occurred_at}/{at.position:016d}",
        day=day,
        kind=kind,
        type=at.type,
        title=title,
        summary=summary,
        reason=reason,
        actor=at.meta.actor,
        stream=at.stream,
        version=at.version,
        position=at.position,
    )


@lines.on(InteractionRecorded)
def _(_row: Row, event: InteractionRecorded, at: Recorded) -> Row:
    return _line(
        at,
        event.kind,
        event.summary,
        day=event.business_day,
        direction=event.direction,
        duration_minutes=event.duration_minutes,
        handler=event.handler,
    )


@lines.on(InteractionCorrected)
def _(_row: Row, event: InteractionCorrected, at: Recorded) -> Row:
    return _line(
        at,
        event.kind,
        event.summary,
        reason=event.reason,
        direction=event.direction,
        duration_minutes=event.duration_minutes,
    )


@lines.on(portal.OrderPlaced)
def _(_row: Row, event: portal.OrderPlaced, at: Recorded) -> Row:
    currency, amount = event.currency, event.total_minor
    return _line(
        at,
        "order",
        day=event.business_day,
        number=event.number,
        quantity=event.quantity,
        currency=currency,
        amount_minor=amount,
    )


@lines.on(portal.OrderCancelled)
def _(_row: Row, event: portal.OrderCancelled, at: Recorded) -> Row:
    currency, amount = event.currency, event.total_minor
    return _line(
        at,
        "order",
        day=event.business_day,
        reason=event.reason,
        number=event.number,
        currency=currency,
        amount_minor=amount,
    )


@lines.on(portal.OrderRefunded)
def _(_row: Row, event: portal.OrderRefunded, at: Recorded) -> Row:
    currency, amount = event.currency, event.amount_minor
    return _line(at, "order", day=event.business_day, reason=event.reason, currency=currency, amount_minor=amount)


@lines.on(portal.CreditIssued)
def _(_row: Row, event: portal.CreditIssued, at: Recorded) -> Row:
    currency, amount = event.currency, event.total_minor
    order_id = str(event.order_id) if event.order_id else None
    return _line(
        at,
        "order",
        day=event.business_day,
        number=event.number,
        order_id=order_id,
        currency=currency,
        amount_minor=amount,
    )


@lines.on(contacts.CustomerRegistered)
def _(_row: Row, event: contacts.CustomerRegistered, at: Recorded) -> Row:
    alias = event.alias.model_dump() if event.alias else {"source": None, "outside_id": None}
    return _line(at, "customer", event.name, customer_kind=event.kind, country=event.country, **alias)


@lines.on(contacts.CustomerRenamed)
def _(_row: Row, event: contacts.CustomerRenamed, at: Recorded) -> Row:
    return _line(at, "customer", event.name)


@lines.on(contacts.KindCorrected)
def _(_row: Row, event: contacts.KindCorrected, at: Recorded) -> Row:
    return _line(at, "customer", customer_kind=event.kind)


@lines.on(contacts.CountryCorrected)
def _(_row: Row, event: contacts.CountryCorrected, at: Recorded) -> Row:
    return _line(at, "customer", country=event.country)


@lines.on(contacts.ContactPointAdded)
def _(_row: Row, event: contacts.ContactPointAdded, at: Recorded) -> Row:
    return _line(at, "customer", event.value, channel=event.channel, point=event.point)


@lines.on(contacts.ContactPointCorrected)
def _(_row: Row, event: contacts.ContactPointCorrected, at: Recorded) -> Row:
    return _line(at, "customer", event.value, channel=event.channel, point=event.point)


@lines.on(contacts.ContactPointRemoved)
def _(_row: Row, event: contacts.ContactPointRemoved, at: Recorded) -> Row:
    return _line(at, "customer", channel=event.channel, point=event.point)


@lines.on(contacts.AddressMoved)
def _(_row: Row, event: contacts.AddressMoved, at: Recorded) -> Row:
    town = " ".join(part for part in (event.postal_code, event.city) if part)
    return _line(at, "customer", f"{event.lines}\n{town}", country=event.country)


@lines.on(contacts.IdentifierLinked)
def _(_row: Row, event: contacts.IdentifierLinked, at: Recorded) -> Row:
    return _line(at, "customer", source=event.source, outside_id=event.outside_id)
