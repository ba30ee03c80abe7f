"""What was known of a customer's purchases at a position of the log, counted anew from the events behind them.

Only what the customer's own events say. Scores, segments and forecasts hold a customer against all others, whose
purchases nobody keeps by what was known of them: they are not given rather than given wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from services.analytics.evidence import MOST, Fact, facts, mergers
from services.analytics.identity import Merges
from services.analytics.profile import Profile, counted
from services.analytics.scope import Question
from shared.clock import date_of
from shared.projections import Snapshot
from shared.projections.identity import Survivor, root

_PREFIX: Final = "customer-"
PATH: Final = "/analytics/customers"


@dataclass
class Day:
    """What a customer's orders of one day and currency came to."""

    currency: str
    day: int
    orders: int = 0
    gross: int = 0
    refunds: int = 0
    credit_notes: int = 0
    credit: int = 0

    @property
    def empty(self) -> bool:
        """Whether nothing is left of what was ordered and taken back."""
        return not (self.orders or self.gross or self.refunds or self.credit_notes)


@dataclass(frozen=True)
class Known:
    """What was known of one customer.

    Attributes:
        members: All subjects that counted together, the survivor first.
        profile: The purchases, without a standing.
        facts: The events behind them, newest first.
        position: Up to where the log counted.
        as_of: The last business day that counted.
    """

    members: list[str]
    profile: Profile
    facts: list[Fact]
    position: int
    as_of: int

    @property
    def shown(self) -> list[Fact]:
        """The events that a page lists: of the profile's currency, as many as there is room for."""
        return [fact for fact in self.facts if fact.currency == self.profile.currency][:MOST]

    @property
    def day(self) -> date:
        """The last business day, as a date."""
        return date_of(self.as_of)

    @property
    def now(self) -> str:
        """The address of the customer's page as of the same day, as known today."""
        return f"{PATH}/{self.profile.customer}?as_of={self.day.isoformat()}"

    @property
    def way(self) -> str:
        """The address of the customer's page at this point."""
        return f"{self.now}&known_at={self.position}"

    @property
    def card(self) -> str:
        """The address of the customer's card at this point."""
        return f"/contacts/{self.profile.customer}?as_of={self.day.isoformat()}&known_at={self.position}"


def known(db: Snapshot, customer: UUID, question: Question, position: int) -> Known:
    """What was known of a customer, or of who counted for it then; in the currency of most orders if none is asked."""
    subject = f"{_PREFIX}{customer}"
    members = _merges(db, position).members([subject])[subject]
    c = facts.c
    query = sa.select(*(getattr(c, name) for name in Fact.__dataclass_fields__))
    query = query.where(c.customer.in_(sorted(members)), c.day <= question.as_of, c.position <= position)
    found = [Fact(*row) for row in db.execute(query.order_by(c.day.desc(), c.position.desc()))]
    survivor = UUID(members[0].removeprefix(_PREFIX))
    return Known(members, counted(survivor, _days(found), question), found, position, question.as_of)


def _days(found: Iterable[Fact]) -> list[Day]:
    days: dict[Any, Day] = {}
    for fact in found:
        day = days.setdefault((fact.customer, fact.currency, fact.day), Day(fact.currency, fact.day))
        match fact.kind:
            case "placed":
                day.orders += 1
                day.gross += fact.amount_minor
            case "cancelled":
                day.orders -= 1
                day.gross += fact.amount_minor
                day.refunds -= fact.refunded_minor
            case "refunded":
                day.refunds -= fact.amount_minor
            case "credited":
                day.credit_notes += 1
                day.credit -= fact.amount_minor
    return [day for day in days.values() if not day.empty]


def _merges(db: Snapshot, position: int) -> Merges:
    """Who was known to be the same as whom."""
    c = mergers.c
    query = sa.select(c.customer, c.survivor, c.position).where(c.position <= position).order_by(c.position)
    last = {row.customer: Survivor(row.survivor, row.position) for row in db.execute(query)}
    survivors = {subject: each for subject, each in last.items() if each.survivor}
    into = {subject: root(subject, survivors) for subject in sorted(survivors)}
    return Merges({subject: survivor for subject, survivor in into.items() if survivor != subject})
