"""Questions to the directory: one customer, the customer of an alias, pages of many."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from services.contacts import search_text
from services.contacts.directory import Row, census, contact_days, customers, identifiers, order_days
from shared.projections import Snapshot, Sum
from shared.web.cursors import Place

KindFilter = Literal["individual", "organisation", "household", "internal"]
_PREFIX = "customer-"


@dataclass(frozen=True)
class Entry:
    """A customer in a list; days count from 1970-01-01."""

    id: UUID
    name: str | None
    alias: str | None
    kind: str
    internal: bool
    country: str | None
    version: int
    last_contact: int | None
    last_order: int | None


@dataclass(frozen=True)
class Card(Entry):
    """A customer with all that is known of it; `told` says of each fact when and by whom."""

    aliases: tuple[str, ...]
    points: tuple[dict[str, Any], ...]
    address: dict[str, Any] | None
    told: dict[str, Any]
    registered_at: str
    first_order: int | None


@dataclass(frozen=True)
class Touched:
    """When a customer first ordered, and when it last ordered and was last in touch, up to some day."""

    first_order: int | None = None
    last_order: int | None = None
    last_contact: int | None = None


@dataclass(frozen=True)
class Page:
    """Some customers in the order of their names, and where the next page begins."""

    entries: tuple[Entry, ...]
    next: Place | None


def find(db: Snapshot, id_: UUID) -> Card | None:
    """One customer, or None when the directory does not have it."""
    row = db.execute(
        sa.select(*_columns()).where(customers.c.customer == f"{_PREFIX}{id_}", _registered())
    ).one_or_none()
    return None if row is None else card(id_, row, touched(db, id_))


def card(id_: UUID, row: Row | sa.Row[Any], days: Touched) -> Card:
    """The card that a row of the directory makes."""
    return Card(
        **_entry(id_, row, days.last_order, days.last_contact),
        aliases=tuple(row.aliases),
        points=tuple(row.points),
        address=row.address,
        told=row.told,
        registered_at=row.registered_at,
        first_order=days.first_order,
    )


def touched(db: Snapshot, id_: UUID, as_of: int | None = None) -> Touched:
    """When a customer first ordered at all, and when it last ordered and was last in touch up to a day."""
    c, subject = order_days.c, f"{_PREFIX}{id_}"
    first = sa.select(sa.func.min(c.day)).where(c.customer == subject, c.orders > 0)
    latest = [_latest(db, table, [subject], as_of).get(subject) for table in (order_days, contact_days)]
    return Touched(db.execute(first).scalar_one_or_none(), *latest)


def resolve(db: Snapshot, alias: str) -> UUID | None:
    """The customer that goes by `source:outside-id`; of several, the one that was given it first."""
    customer = db.execute(
        sa.select(identifiers.c.customer).where(identifiers.c.alias == alias).order_by(identifiers.c.position).limit(1)
    ).scalar_one_or_none()
    return _id(customer) if customer else None


def referred(db: Snapshot, reference: str) -> UUID | None:
    """The customer that somebody means: by its id, whether it exists or not, or by an alias."""
    try:
        return UUID(reference)
    except ValueError:
        return resolve(db, reference)


def page(db: Snapshot, q: str, kind: KindFilter | None, cursor: Place | None, limit: int) -> Page:
    """Customers by name, from the cursor on; all words of `q` must occur in name, alias or contact point."""
    query = sa.select(*_columns()).where(_registered(), *_matching(q, kind))
    if cursor is not None:
        query = query.where(sa.tuple_(customers.c.sort_key, customers.c.customer) > sa.tuple_(*map(sa.literal, cursor)))
    rows = db.execute(query.order_by(customers.c.sort_key, customers.c.customer).limit(limit + 1)).all()
    shown = rows[:limit]
    who = [row.customer for row in shown]
    orders, contacts = _latest(db, order_days, who), _latest(db, contact_days, who)
    entries = tuple(
        Entry(**_entry(_id(row.customer), row, orders.get(row.customer), contacts.get(row.customer))) for row in shown
    )
    more = len(rows) > limit
    return Page(entries, Place(shown[-1].sort_key, shown[-1].customer) if more else None)


def named(db: Snapshot, ids: Collection[UUID]) -> list[Entry]:
    """Some customers by their ids, in no order; those that the directory does not have are left out."""
    subjects = [f"{_PREFIX}{id_}" for id_ in ids]
    rows = db.execute(sa.select(*_columns()).where(_registered(), customers.c.customer.in_(subjects))).all()
    return [Entry(**_entry(_id(row.customer), row, None, None)) for row in rows]


def count(db: Snapshot, q: str, kind: KindFilter | None) -> int:
    """How many customers fit."""
    if q.strip():
        matching = sa.select(sa.func.count(customers.c.customer)).where(_registered(), *_matching(q, kind))
        return int(db.execute(matching).scalar_one())
    kinds = counts(db)
    return kinds.get(kind, 0) if kind else kinds["all"]


def counts(db: Snapshot) -> dict[str, int]:
    """How many customers there are of each kind, of `internal` ones, and of `all`."""
    kinds = {row.kind: row.customers for row in db.execute(sa.select(census.c.kind, census.c.customers))}
    return {**kinds, "all": sum(number for kind, number in kinds.items() if kind != "internal")}


def _registered() -> sa.ColumnElement[bool]:
    # What other services report of a customer may arrive before its registration.
    return customers.c.sort_key > ""


def _matching(q: str, kind: KindFilter | None) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [
        customers.c.search.like(pattern, escape="\\") for pattern in search_text.patterns(q)
    ]
    if kind == "internal":
        conditions.append(customers.c.internal.is_(sa.true()))
    elif kind is not None:
        conditions.append(customers.c.kind == kind)
    return conditions


def _columns() -> list[sa.ColumnElement[Any]]:
    c = customers.c
    facts = [c.customer, c.name, c.kind, c.country, c.internal, c.aliases, c.points, c.address, c.told]
    return [*facts, c.registered_at, c.sort_key, c.version]


def _entry(id_: UUID, row: Row | sa.Row[Any], last_order: int | None, last_contact: int | None) -> dict[str, Any]:
    return {
        "id": id_,
        "name": row.name,
        "alias": row.aliases[0] if row.aliases else None,
        "kind": row.kind,
        "internal": row.internal,
        "country": row.country,
        "version": row.version,
        "last_contact": last_contact,
        "last_order": last_order,
    }


def _latest(db: Snapshot, days: Sum, subjects: Collection[str], as_of: int | None = None) -> dict[str, int]:
    """The last day of some customers on which something stands, up to a day; without any they are left out."""
    c, (what,) = days.c, days.adds
    query = sa.select(c.customer, sa.func.max(c.day).label("last"))
    query = query.where(c.customer.in_(subjects), getattr(c, what) > 0)
    if as_of is not None:
        query = query.where(c.day <= as_of)
    return {row.customer: row.last for row in db.execute(query.group_by(c.customer))}


def _id(subject: str) -> UUID:
    return UUID(subject.removeprefix(_PREFIX))
