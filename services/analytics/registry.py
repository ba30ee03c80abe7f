"""The registry: what the day closes said, read back: who stands where, when that changed, and which days."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from services.analytics.day_close import Said, Stay
from services.analytics.events import DayClosed
from services.analytics.revising import REVISED_DAYS, Earlier, Moved, Revised
from services.analytics.standing import Move, closed, members, moves, reminded, revisions, warned
from shared.projections import Snapshot, Sum


def said(db: Snapshot, currency: str) -> Said:
    """What the log says of the customers of a currency."""
    c = members.c
    query = sa.select(c.customer, c.segment, c.since).where(c.currency == currency, c.here > 0)
    stays = {row.customer: Stay(row.segment, row.since) for row in db.execute(query)}
    return Said(stays, warned=_told(db, warned, currency), reminded=_told(db, reminded, currency))


def earlier(db: Snapshot, currency: str, day: int) -> Earlier:
    """What the closes of the last weeks before a day said of them."""
    since = day - REVISED_DAYS
    days = sa.select(closed.c.day).where(closed.c.day >= since, closed.c.day < day).order_by(closed.c.day.desc())
    c = moves.c
    moved = sa.select(c.day, c.customer, c.previous).where(c.currency == currency, c.day > since)
    r = revisions.c
    anew = sa.select(r.customer, r.as_of, r.until, r.new).where(r.currency == currency, r.until >= since)
    here = sa.select(members.c.customer, members.c.segment)
    here = here.where(members.c.currency == currency, members.c.here > 0)
    return Earlier(
        days=list(db.execute(days).scalars()),
        segments={row.customer: row.segment for row in db.execute(here)},
        moves=[Moved._make(row) for row in db.execute(moved.order_by(c.position.desc()))],
        revised=[Revised._make(row) for row in db.execute(anew.order_by(r.position))],
    )


def currencies_said(db: Snapshot) -> list[str]:
    """The currencies in which somebody stands somewhere."""
    return sorted(db.execute(sa.select(members.c.currency).where(members.c.here > 0).distinct()).scalars())


def first_open(db: Snapshot) -> int | None:
    """The day after the last one that was closed, or one on which somebody moved and that was never closed."""
    last: int | None = db.execute(sa.select(sa.func.max(closed.c.day))).scalar_one()
    if last is not None:
        return last + 1
    day: int | None = db.execute(sa.select(sa.func.min(moves.c.day))).scalar_one()
    return day


def closes(db: Snapshot, limit: int) -> list[tuple[DayClosed, str]]:
    """The last closes, newest first, and when each was recorded."""
    c = closed.c
    rows = db.execute(sa.select(c.payload, c.recorded_at).order_by(c.day.desc()).limit(limit))
    return [(DayClosed.model_validate_json(row.payload), row.recorded_at) for row in rows]


def path(db: Snapshot, customers: Sequence[str], currency: str, as_of: int) -> list[Move]:
    """When customers entered and left segments up to a day, and why; oldest first."""
    c = moves.c
    columns = (c.customer, c.currency, c.day, c.position, c.previous, c.segment, c.cause, c.grades)
    query = sa.select(*columns).where(c.customer.in_(customers), c.currency == currency, c.day <= as_of)
    return [Move(*row) for row in db.execute(query.order_by(c.position))]


def _told(db: Snapshot, table: Sum, currency: str) -> set[tuple[str, int]]:
    query = sa.select(table.c.customer, table.c.last_day).where(table.c.currency == currency)
    return {(row.customer, row.last_day) for row in db.execute(query)}
