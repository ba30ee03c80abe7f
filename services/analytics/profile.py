"""Profiles: the rhythm, the standing and the money of single customers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from services.analytics.identity import identifiers, known_by, merges
from services.analytics.kept import Kept
from services.analytics.loyalty import Ranking, Standing
from services.analytics.population import population
from services.analytics.purchase_days import days
from services.analytics.rhythm import Rhythm
from services.analytics.scope import Question, scope
from shared.errors import Refused
from shared.projections import Snapshot

_PREFIX: Final = "customer-"


@dataclass(frozen=True)
class Profile:
    """What the purchases of one customer say of them, up to a day and in one currency.

    Attributes:
        customer: Who it is.
        currency: The currency whose orders count; None without any.
        currencies: All currencies that the customer has ordered in, the one with most orders first.
        rhythm: The purchase days.
        gross_on: Minor units of valid orders by purchase day, ascending.
        net: Minor units of all orders after refunds and credit notes.
        among: How many customers it is ranked among, itself included.
        standing: Scores and segment among them; None without an order.
    """

    customer: UUID
    currency: str | None
    currencies: tuple[str, ...]
    rhythm: Rhythm
    gross_on: tuple[tuple[int, int], ...]
    net: int
    among: int = 0
    standing: Standing | None = None

    @property
    def gross(self) -> int:
        """Minor units of all valid orders."""
        return sum(gross for _, gross in self.gross_on)


def find(db: Snapshot, reference: str) -> UUID:
    """The customer of an id or of an alias `source:outside-id`; of an absorbed one the survivor.

    Raises:
        Refused: there is none.
    """
    return UUID(merges(db).survivor(f"{_PREFIX}{referred(db, reference)}").removeprefix(_PREFIX))


def referred(db: Snapshot, reference: str) -> UUID:
    """The very customer of an id or of an alias, whether it was absorbed or not. All ways to one lead through here.

    Raises:
        Refused: there is none.
    """
    source, colon, outside_id = reference.partition(":")
    found = _by_alias(db, source, outside_id) if colon else _by_id(db, reference)
    if found is None:
        raise Refused(f"there is no customer {reference!r}", field="customer", kind="missing")
    return found


def profile(db: Snapshot, answers: Kept, customer: UUID, question: Question) -> Profile:
    """One customer, ranked among all of the source asked for.

    Raises:
        Refused: the source does not know the customer, or the orders are in several currencies and none was chosen.
    """
    check_source(db, customer, question)
    found = profiles(db, answers, [customer], question)[customer]
    check_currency(found, question)
    return found


def check_source(db: Snapshot, customer: UUID, question: Question) -> None:
    """Refuse a source that does not know the customer."""
    if question.source is not None and question.source not in _sources(db, customer):
        raise Refused(f"{question.source!r} does not know this customer", field="source")


def check_currency(found: Profile, question: Question) -> None:
    """Refuse to choose a currency for somebody who orders in several."""
    if question.currency is None and len(found.currencies) > 1:
        names = ", ".join(sorted(found.currencies))
        raise Refused(f"choose a currency: this customer has orders in {names}", field="currency")


def profiles(db: Snapshot, answers: Kept, customers: Collection[UUID], question: Question) -> dict[UUID, Profile]:
    """Several customers, each in the currency asked for or else in the one of most of their orders.

    Whoever was absorbed has the profile of the survivor.
    """
    c = days.c
    subjects = [f"{_PREFIX}{customer}" for customer in customers]
    members = merges(db).members(subjects)
    query = sa.select(c.customer, c.currency, c.day, c.orders, c.gross, c.refunds, c.credit)
    query = query.where(c.customer.in_({each for some in members.values() for each in some}), c.day <= question.as_of)
    of_member = defaultdict(list)
    for row in db.execute(query.order_by(c.day)):
        of_member[row.customer].append(row)

    @cache
    def ranking(currency: str | None) -> Ranking:
        return answers.get(db, population, scope(db, replace(question, currency=currency))).ranking

    return {
        customer: _profile(customer, [row for each in members[subject] for row in of_member[each]], question, ranking)
        for customer, subject in zip(customers, subjects, strict=True)
    }


def counted(customer: UUID, rows: Sequence[Any], question: Question) -> Profile:
    """What the purchase days of one customer come to, without a standing among others."""
    orders: Counter[str] = Counter()
    for row in rows:
        orders[row.currency] += row.orders
    currencies = tuple(sorted(orders, key=lambda currency: (-orders[currency], currency)))
    currency = question.currency or next(iter(currencies), None)
    mine = [row for row in rows if row.currency == currency]
    gross: Counter[int] = Counter()
    for row in mine:
        if row.orders > 0:
            gross[row.day] += row.gross
    return Profile(
        customer=customer,
        currency=currency,
        currencies=currencies,
        rhythm=Rhythm.of(((row.day, row.orders) for row in mine), question.as_of),
        gross_on=tuple(sorted(gross.items())),
        net=sum(row.gross - row.refunds - row.credit for row in mine),
    )


def _profile(
    customer: UUID, rows: Sequence[Any], question: Question, ranking: Callable[[str | None], Ranking]
) -> Profile:
    found = counted(customer, rows, question)
    if not found.gross_on:
        return found
    others = ranking(found.currency)
    standing = others.place(found.gross_on[-1][0], len(found.gross_on), found.gross)
    return replace(found, among=others.n, standing=standing)


def _by_id(db: Snapshot, reference: str) -> UUID | None:
    try:
        customer = UUID(reference)
    except ValueError:
        return None
    subject = f"{_PREFIX}{customer}"
    known = sa.exists().where(known_by.c.customer == subject)
    ordered = sa.exists().where(days.c.customer == subject)
    return customer if db.execute(sa.select(sa.or_(known, ordered))).scalar_one() else None


def _by_alias(db: Snapshot, source: str, outside_id: str) -> UUID | None:
    c = identifiers.c
    query = sa.select(c.customer).where(c.source == source, c.outside_id == outside_id).order_by(c.position).limit(1)
    subject = db.execute(query).scalar_one_or_none()
    return UUID(subject.removeprefix(_PREFIX)) if subject else None


def _sources(db: Snapshot, customer: UUID) -> Collection[str]:
    subject = f"{_PREFIX}{customer}"
    members = merges(db).members([subject])[subject]
    query = sa.select(known_by.c.sources).where(known_by.c.customer.in_(members))
    return {source for some in db.execute(query).scalars() for source in some or ()}
