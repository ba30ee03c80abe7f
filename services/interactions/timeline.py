"""The timeline: everything that happened with a customer, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from services.contacts.events import SubjectErased
from services.interactions.events import InteractionCorrected
from services.interactions.interactions import interactions
from services.interactions.lines import LINE_KINDS, LineKind, lines
from services.interactions.names import names
from shared.past import NOW, Past
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


@dataclass(frozen=True)
class Between:
    """Which lines are seen: those up to a point, without those that were there at an earlier one.

    Attributes:
        until: The point.
        after: The earlier point, None for the beginning.
        timezone: The zone of business days, for lines that have none of their own.
    """

    until: Past = NOW
    after: Past | None = None
    timezone: str = "UTC"

    def conditions(self, c: Any) -> Iterator[sa.ColumnElement[bool]]:
        """What holds of every line that is seen."""
        yield _there(c, self.until, self.timezone)
        if self.after is not None:
            yield sa.not_(_there(c, self.after, self.timezone))


ALL: Final = Between()


def of_customer(
    db: Snapshot,
    customer_id: UUID,
    *,
    kind: LineKind | None = None,
    between: Between = ALL,
    behind: Place | None = None,
    limit: int = 20,
) -> tuple[list[Line], Place | None]:
    """A customer's lines, newest first, and where the next part begins."""
    c = lines.c
    query = sa.select(*c.columns.values(), _corrected(between).label("corrected"))
    query = query.where(c.customer == f"customer-{customer_id}", *between.conditions(c))
    if kind is not None:
        query = query.where(c.kind == kind)
    if behind is not None:
        query = query.where(sa.tuple_(c.place, c.event) < sa.tuple_(*map(sa.literal, behind)))
    rows = db.execute(query.order_by(c.place.desc(), c.event.desc()).limit(limit + 1)).all()
    page = rows[:limit]
    behind_last = Place(page[-1].place, page[-1].event) if len(rows) > limit else None
    return [_shown(row) for row in page], behind_last


def counts(db: Snapshot, customer_id: UUID, between: Between = ALL) -> dict[LineKind, int]:
    """How many lines a customer has of each kind; kinds without lines are left out."""
    c = lines.c
    query = (
        sa.select(c.kind, sa.func.count(c.event).label("lines"))
        .where(c.customer == f"customer-{customer_id}", *between.conditions(c))
        .group_by(c.kind)
    )
    found: dict[str, int] = {row.kind: row.lines for row in db.execute(query)}
    return {kind: found[kind] for kind in LINE_KINDS if kind in found}


def _there(c: Any, past: Past, timezone: str) -> sa.ColumnElement[bool]:
    """Whether a line was there at a point."""
    conditions: list[sa.ColumnElement[bool]] = [sa.true()]
    if past.known_at is not None:
        conditions.append(c.position <= past.known_at)
    if past.as_of is not None:
        # Stored instants are all of one form, so that their order is that of their texts.
        conditions.append(sa.case((c.day.is_(None), c.occurred_at < past.end(timezone)), else_=c.day <= past.as_of))
    return sa.and_(*conditions)


def _corrected(between: Between) -> sa.ColumnElement[bool]:
    """Whether a correction of a line is known: of an interaction, every event but the first corrects those before."""
    c = lines.c
    if between.until == NOW:
        stands = sa.select(interactions.c.version).where(interactions.c.stream == c.stream).scalar_subquery()
        return sa.func.coalesce(stands > c.version, sa.false())
    later = sa.table(lines.name, *(sa.column(each.name, each.type) for each in c.columns.values())).alias("later")
    return sa.exists().where(
        later.c.customer == c.customer,
        later.c.stream == c.stream,
        later.c.version > c.version,
        later.c.type == InteractionCorrected.type,
        _there(later.c, between.until, between.timezone),
    )


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
