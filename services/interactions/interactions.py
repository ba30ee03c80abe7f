"""Every interaction as it stands after all corrections, with what was said of it before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final, get_args
from uuid import UUID

import sqlalchemy as sa

from services.interactions.events import Direction, InteractionCorrected, InteractionRecorded, Kind
from services.interactions.names import names
from shared.clock import date_of
from shared.envelope import Recorded
from shared.projections import Document, Snapshot, Stream
from shared.web.cursors import Place

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""Over which channels a contact can take place."""


@dataclass(frozen=True)
class Row:
    """An interaction as stored: `customer` is the subject, `occurred_at` an instant as text, `day` the business day."""

    customer: str = ""
    occurred_at: str = ""
    day: int = 0
    kind: str = ""
    direction: str = ""
    summary: str = ""
    handler: str = ""
    duration_minutes: int | None = None
    history: tuple[dict[str, Any], ...] = ()
    version: int = -1


interactions = Document(
    "interactions",
    Row,
    key=Stream("stream"),
    about="customer",
    indexes=(
        ("occurred_at", "stream"),
        ("customer", "occurred_at", "stream"),
        ("kind", "occurred_at", "stream"),
    ),
)


@interactions.on(InteractionRecorded)
def _(_row: Row, event: InteractionRecorded, at: Recorded) -> Row:
    recorded = Row(
        customer=at.subject,
        occurred_at=at.meta.occurred_at,
        day=event.business_day,
        handler=event.handler,
    )
    return _stated(recorded, event, at, None)


@interactions.on(InteractionCorrected)
def _(row: Row, event: InteractionCorrected, at: Recorded) -> Row:
    return _stated(row, event, at, event.reason)


def _stated(row: Row, event: InteractionRecorded | InteractionCorrected, at: Recorded, reason: str | None) -> Row:
    said: dict[str, Any] = {
        "kind": event.kind,
        "direction": event.direction,
        "summary": event.summary,
        "duration_minutes": event.duration_minutes,
    }
    statement = {**said, "at": at.meta.recorded_at, "actor": at.meta.actor, "reason": reason, "version": at.version}
    return replace(row, **said, history=(*row.history, statement), version=at.version)


@dataclass(frozen=True)
class InteractionSummary:
    """An interaction in a list; `version` is what an edit has to name, `customer_name` what to call the customer."""

    id: UUID
    customer_id: UUID
    customer_name: str | None
    kind: Kind
    direction: Direction
    occurred_at: datetime
    business_day: date
    summary: str
    handler: str
    duration_minutes: int | None
    corrected: bool
    version: int


@dataclass(frozen=True)
class Statement:
    """What was said of an interaction in one version; `at` is when it was recorded, `reason` why it was corrected."""

    kind: Kind
    direction: Direction
    summary: str
    duration_minutes: int | None
    at: datetime
    actor: str
    reason: str | None
    version: int


@dataclass(frozen=True)
class InteractionDetail(InteractionSummary):
    """An interaction with all that was said of it, oldest first."""

    history: list[Statement]


_SUMMARY: Final = (
    interactions.c.stream,
    interactions.c.customer,
    interactions.c.kind,
    interactions.c.direction,
    interactions.c.occurred_at,
    interactions.c.day,
    interactions.c.summary,
    interactions.c.handler,
    interactions.c.duration_minutes,
    interactions.c.version,
    sa.select(sa.func.coalesce(names.c.name, names.c.alias))
    .where(names.c.customer == interactions.c.customer)
    .scalar_subquery()
    .label("customer_name"),
)


def listed(
    db: Snapshot,
    *,
    customer_id: UUID | None = None,
    kind: Kind | None = None,
    behind: Place | None = None,
    limit: int = 50,
) -> tuple[list[InteractionSummary], Place | None]:
    """Interactions, newest first, and where the next page begins; filters that are left out do not filter."""
    c = interactions.c
    query = sa.select(*_SUMMARY)
    if customer_id is not None:
        query = query.where(c.customer == f"customer-{customer_id}")
    if kind is not None:
        query = query.where(c.kind == kind)
    if behind is not None:
        query = query.where(sa.tuple_(c.occurred_at, c.stream) < sa.tuple_(*map(sa.literal, behind)))
    rows = db.execute(query.order_by(c.occurred_at.desc(), c.stream.desc()).limit(limit + 1)).all()
    page = rows[:limit]
    behind_last = Place(page[-1].occurred_at, page[-1].stream) if len(rows) > limit else None
    return [InteractionSummary(**_summary(row)) for row in page], behind_last


def found(db: Snapshot, interaction_id: UUID) -> InteractionDetail | None:
    """One interaction, or None."""
    query = sa.select(*_SUMMARY, interactions.c.history).where(interactions.c.stream == f"interaction-{interaction_id}")
    row = db.execute(query).one_or_none()
    return None if row is None else InteractionDetail(**_summary(row), history=list(map(_statement, row.history)))


def _statement(stored: dict[str, Any]) -> Statement:
    return Statement(**stored | {"at": datetime.fromisoformat(stored["at"])})


def _summary(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "id": UUID(row.stream.removeprefix("interaction-")),
        "customer_id": UUID(row.customer.removeprefix("customer-")),
        "customer_name": row.customer_name,
        "kind": row.kind,
        "direction": row.direction,
        "occurred_at": datetime.fromisoformat(row.occurred_at),
        "business_day": date_of(row.day),
        "summary": row.summary,
        "handler": row.handler,
        "duration_minutes": row.duration_minutes,
        "corrected": row.version > 0,
        "version": row.version,
    }
