"""The credit notes that were issued, with their lines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.portal.events import CreditIssued, Line
from shared.clock import date_of
from shared.envelope import Recorded
from shared.projections import Document, Snapshot, Stream
from shared.web.cursors import Place


@dataclass(frozen=True)
class CreditNoteRow:
    """A credit note as stored: `customer` is the subject, `order_id` empty when no order is known."""

    customer: str = ""
    order_id: str | None = None
    source: str = ""
    number: str = ""
    issued_at: str = ""
    day: int = 0
    currency: str = ""
    total_minor: int = 0
    lines: tuple[dict[str, Any], ...] = ()
    version: int = -1


credit_notes = Document(
    "credit_notes",
    CreditNoteRow,
    key=Stream("stream"),
    about="customer",
    indexes=(("issued_at", "stream"), ("customer", "issued_at", "stream"), "order_id"),
)


@credit_notes.on(CreditIssued)
def _(_row: CreditNoteRow, event: CreditIssued, at: Recorded) -> CreditNoteRow:
    return CreditNoteRow(
        customer=at.subject,
        order_id=str(event.order_id) if event.order_id else None,
        source=event.source,
        number=event.number,
        issued_at=at.meta.occurred_at,
        day=event.business_day,
        currency=event.currency,
        total_minor=event.total_minor,
        lines=tuple(line.model_dump() for line in event.lines),
        version=at.version,
    )


@dataclass(frozen=True)
class CreditNoteDetail:
    """A credit note; amounts are positive."""

    id: UUID
    customer_id: UUID
    order_id: UUID | None
    source: str
    number: str
    issued_at: datetime
    business_day: date
    currency: str
    total_minor: int
    lines: list[Line]
    version: int


_ALL = sa.select(*credit_notes.c.columns.values())


def listed(
    db: Snapshot, *, customer_id: UUID | None = None, behind: Place | None = None, limit: int = 50
) -> tuple[list[CreditNoteDetail], Place | None]:
    """Credit notes, newest first, and where the next page begins."""
    query = _ALL
    if customer_id is not None:
        query = query.where(credit_notes.c.customer == f"customer-{customer_id}")
    if behind is not None:
        place = sa.tuple_(credit_notes.c.issued_at, credit_notes.c.stream)
        query = query.where(place < sa.tuple_(*map(sa.literal, behind)))
    query = query.order_by(credit_notes.c.issued_at.desc(), credit_notes.c.stream.desc()).limit(limit + 1)
    rows = db.execute(query).all()
    page = rows[:limit]
    behind_last = Place(page[-1].issued_at, page[-1].stream) if len(rows) > limit else None
    return [_detail(row) for row in page], behind_last


def found(db: Snapshot, credit_note_id: UUID) -> CreditNoteDetail | None:
    """One credit note, or None."""
    row = db.execute(_ALL.where(credit_notes.c.stream == f"credit-note-{credit_note_id}")).one_or_none()
    return None if row is None else _detail(row)


def of_order(db: Snapshot, order_id: UUID) -> list[CreditNoteDetail]:
    """The credit notes that name an order, oldest first."""
    query = _ALL.where(credit_notes.c.order_id == str(order_id)).order_by(credit_notes.c.issued_at)
    return [_detail(row) for row in db.execute(query)]


def _detail(row: sa.Row[Any]) -> CreditNoteDetail:
    return CreditNoteDetail(
        id=UUID(row.stream.removeprefix("credit-note-")),
        customer_id=UUID(row.customer.removeprefix("customer-")),
        order_id=UUID(row.order_id) if row.order_id else None,
        source=row.source,
        number=row.number,
        issued_at=datetime.fromisoformat(row.issued_at),
        business_day=date_of(row.day),
        currency=row.currency,
        total_minor=row.total_minor,
        lines=[Line(**line) for line in row.lines],
        version=row.version,
    )
