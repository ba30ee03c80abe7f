"""Replenishment: which customers are due to buy which product again, a suggestion and never a date to rely on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.analytics.fitting import Fit
from services.analytics.histories import parts, repeat_histories
from services.analytics.scope import Scope
from services.analytics.timing import foretold
from services.analytics.waiting import FARTHEST, WINDOW, Waiting
from shared.projections import Snapshot

LEAD_DAYS: Final = 14
_LIKELY: Final = 0.35
_FEWEST_INTERVALS: Final = 2


@dataclass(frozen=True)
class Due:
    """A customer and a product that is due.

    Attributes:
        customer: The subject.
        source: Whose code it is.
        product: The code.
        last: The day it was last bought.
        intervals: How often it was bought again.
        due: The day that is as likely too early as too late.
        window: The days between which eight of ten purchases come.
        chance: To buy within LEAD_DAYS, having not bought since.
    """

    customer: str
    source: str
    product: str
    last: int
    intervals: int
    due: int
    window: tuple[int, int]
    chance: float


@dataclass(frozen=True)
class Replenishment:
    """All that is due on a day, the likeliest first, and the timing it rests on."""

    timing: Fit[Waiting]
    due: tuple[Due, ...]


def replenishment(db: Snapshot, scope: Scope) -> Replenishment:
    """What is due: bought at least three times, and likely to be bought within LEAD_DAYS."""
    some = repeat_histories(db, scope)
    fit = foretold(some)
    if fit.usable is None:
        return Replenishment(fit, ())
    bought, model = some.bought, fit.usable
    n, total = bought.days - 1, bought.last - bought.first
    elapsed = scope.as_of - bought.last
    often, chance = n >= _FEWEST_INTERVALS, np.zeros(len(n))
    chance[often] = model.soon(LEAD_DAYS, elapsed[often], n[often], total[often])
    order = np.lexsort((bought.who, -chance))
    chosen = order[chance[order] >= _LIKELY]
    low, middle, high = (
        np.minimum(np.rint(model.quantile(p, n[chosen], total[chosen])), FARTHEST) for p in (WINDOW[0], 0.5, WINDOW[1])
    )
    due = []
    for number, place in enumerate(chosen.tolist()):
        customer, source, product = parts(some.customers[bought.who[place]])
        last = int(bought.last[place])
        window = last + int(low[number]), last + int(high[number])
        due.append(
            Due(
                customer,
                source,
                product,
                last,
                int(n[place]),
                last + int(middle[number]),
                window,
                float(chance[place]),
            )
        )
    return Replenishment(fit, tuple(due))
