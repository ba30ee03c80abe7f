"""The timeline: everything that happened with a customer, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.contacts.events import SubjectErased
from services.interactions.interactions import interactions
from services.interactions.lines import LINE_KINDS, LineKind, lines
from services.interactions.names import names
from shared.projections import Family, Snapshot
from shared.web.cursors import Place

family = Family("timeline", version=2, tables=(lines, interactions, names), forgets=SubjectErased)


@dataclass(frozen=True)
class Line:
    """Something that happened with a customer; `corrected` says that a later line puts it right."""

    event: UUID
    customer_id: UUID
    occurred_at: datetime
    day: int | None
    kind: LineKind
    type: str
    title: dict[str, Any]
    summary: str | None
    reason: str | None
    actor: str
    stream: str
    position: int
    corrected: bool


def of_customer(
    db: Snapshot, customer_id: UUID, *, kind: LineKind | None = None, behind: Place | None = None, limit: int = 20
) -> tuple[list[Line], Place | None]:
    """A customer's lines, newest first, and where the next part begins."""
    c = lines.c
    # Of an interaction, every event but the first is a correction of those before.
    stands = sa.select(interactions.c.version).where(interactions.c.stream == c.stream).scalar_subquery()
    query = sa.select(*c.columns.values(), sa.func.coalesce(stands > c.version, sa.false()).label("corrected"))
    query = query.where(c.customer == f"customer-{customer_id}")
    if kind is not None:
        query = query.where(c.kind == kind)
    if behind is not None:
        query = query.where(sa.tuple_(c.place, c.event) < sa.tuple_(*map(sa.literal, behind)))
    rows = db.execute(query.order_by(c.place.desc(), c.event.desc()).limit(limit + 1)).all()
    page = rows[:limit]
    behind_last = Place(page[-1].place, page[-1].event) if len(rows) > limit else None
    return [_shown(row) for row in page], behind_last


def counts(db: Snapshot, customer_id: UUID) -> dict[LineKind, int]:
    """How many lines a customer has of each kind; kinds without lines are left out."""
    c = lines.c
    query = (
        sa.select(c.kind, sa.func.count(c.event).label("lines"))
        .where(c.customer == f"customer-{customer_id}")
        .group_by(c.kind)
    )
    found: dict[str, int] = {row.kind: row.lines for row in db.execute(query)}
    return {kind: found[kind] for kind in LINE_KINDS if kind in found}


def _shown(row: sa.Row[Any]) -> Line:
    return Line(
        event=UUID(row.event),
        customer_id=UUID(row.customer.removeprefix("customer-")),
        occurred_at=datetime.fromisoformat(row.occurred_at),
        day=row.day,
        kind=row.kind,
        type=row.type,
        title=row.title,
        summary=row.summary,
        reason=row.reason,
        actor=row.actor,
        stream=row.stream,
        position=row.position,
        corrected=bool(row.corrected),
    )
