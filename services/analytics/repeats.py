"""Repeats: how often one customer buys each product, and when it is due again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from services.analytics.purchase_days import product_days
from services.analytics.replenishment import LEAD_DAYS
from services.analytics.rhythm import Rhythm
from services.analytics.waiting import Due, Waiting
from shared.projections import Snapshot


@dataclass(frozen=True)
class Repeat:
    """One product of a customer.

    Attributes:
        source: Whose code it is.
        product: The code.
        rhythm: The days on which it was bought.
        quantity: Pieces in all.
        last_quantity: Pieces on the last of those days.
        due: When it is due again; None where no model knows.
        chance: To buy it within LEAD_DAYS; None as well.
    """

    source: str
    product: str
    rhythm: Rhythm
    quantity: int
    last_quantity: int
    due: Due | None
    chance: float | None

    @property
    def daily(self) -> float | None:
        """Pieces used up a day, those of the last purchase not yet; None for a product bought once."""
        return (self.quantity - self.last_quantity) / self.rhythm.t_x if self.rhythm.t_x else None


def repeats(db: Snapshot, customers: Collection[str], as_of: int, model: Waiting | None) -> list[Repeat]:
    """The products of some customers who count as one up to a day, the one bought most often first."""
    c = product_days.c
    query = sa.select(c.source, c.product, c.day, c.lines, c.quantity)
    query = query.where(c.customer.in_(sorted(customers)), c.day <= as_of, c.lines > 0)
    bought: defaultdict[tuple[str, str], list[tuple[int, int, int]]] = defaultdict(list)
    for row in db.execute(query):
        bought[row.source, row.product].append((row.day, row.lines, row.quantity))
    found = [_repeat(source, product, rows, as_of, model) for (source, product), rows in bought.items()]
    return sorted(found, key=lambda each: (-each.rhythm.x, each.product, each.source))


def _repeat(source: str, product: str, rows: list[tuple[int, int, int]], as_of: int, model: Waiting | None) -> Repeat:
    rhythm = Rhythm.of(((day, lines) for day, lines, _quantity in rows), as_of)
    last, total = rhythm.last or 0, rhythm.t_x or 0
    return Repeat(
        source,
        product,
        rhythm,
        quantity=sum(quantity for _day, _lines, quantity in rows),
        last_quantity=sum(quantity for day, _lines, quantity in rows if day == last),
        due=None if model is None or not rhythm.x else model.due(last, rhythm.x, total, as_of),
        chance=None if model is None or not rhythm.x else float(model.soon(LEAD_DAYS, as_of - last, rhythm.x, total)),
    )
