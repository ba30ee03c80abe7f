"""Revising: what the closes of the last weeks said of customers, against what they would say by now.

Late orders, cancellations and merges change days that were closed. What was said stays, and a revision names the days.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from services.analytics.events import ScoreRevised, SegmentName
from services.analytics.histories import Histories
from services.analytics.stand import NAMES, Stand, id_of

REVISED_DAYS: Final = 35
"""How far back a closed day is looked at again."""
_NOWHERE: Final = -1
_CODES: Final[Mapping[str, int]] = {name: code for code, name in enumerate(NAMES)}

Codes = npt.NDArray[np.int8]


class Moved(NamedTuple):
    """On the close of a day a customer left a segment, or stood in none before."""

    day: int
    customer: str
    previous: SegmentName | None


class Revised(NamedTuple):
    """What was said anew of the closes from `as_of` to `until`."""

    customer: str
    as_of: int
    until: int
    new: str | None


@dataclass(frozen=True)
class Earlier:
    """What the log says of the closed days before this one, in one currency.

    Attributes:
        days: The days that were closed and are looked at again, the latest first.
        segments: Who stands where after all moves.
        moves: The moves since the first of these days, the latest first.
        revised: What was said anew of these days, in the order in which it was.
    """

    days: Sequence[int]
    segments: Mapping[str, SegmentName]
    moves: Sequence[Moved]
    revised: Sequence[Revised]


class _Run(NamedTuple):
    """Days in a row of which the same was said, and now the same would be said otherwise."""

    as_of: int
    until: int
    old: int
    new: int


def revisions(some: Histories, earlier: Earlier, day: int, currency: str) -> Iterator[ScoreRevised]:
    """The closed days that would now say something else of a customer than they did; found by the close of `day`."""
    names = [*some.customers, *sorted(earlier.segments.keys() - set(some.customers))]
    names += sorted({move.customer for move in earlier.moves}.difference(names))
    places = {name: place for place, name in enumerate(names)}
    runs: dict[int, _Run] = {}
    later: Stand | None = None
    for closed, said in _said(earlier, places):
        stand = Stand(closed, currency, some.until(closed))
        now = np.full(len(names), _NOWHERE, np.int8)
        now[stand.histories.bought.who] = stand.codes
        wrong = np.flatnonzero((said != _NOWHERE) & (said != now)).tolist()
        fresh = {place: _Run(closed, closed, int(said[place]), int(now[place])) for place in wrong}
        for place, run in sorted(runs.items()):
            same = fresh.get(place)
            if same is not None and same[2:] == run[2:]:
                fresh[place] = same._replace(until=run.until)
            elif later is not None:
                yield _revision(names[place], run, later, day)
        runs, later = fresh, stand
    for place, run in sorted(runs.items()):
        if later is not None:
            yield _revision(names[place], run, later, day)


def _said(earlier: Earlier, places: Mapping[str, int]) -> Iterator[tuple[int, Codes]]:
    """Where everybody stood by what was said of each closed day, going back from the latest."""
    standing = np.full(len(places), _NOWHERE, np.int8)
    for customer, segment in earlier.segments.items():
        standing[places[customer]] = _code(segment)
    undone = 0
    for closed in earlier.days:
        while undone < len(earlier.moves) and earlier.moves[undone].day > closed:
            _, customer, previous = earlier.moves[undone]
            standing[places[customer]] = _code(previous)
            undone += 1
        said = standing.copy()
        for customer, as_of, until, new in earlier.revised:
            if as_of <= closed <= until and customer in places:
                said[places[customer]] = _code(new)
        yield closed, said


def _code(segment: str | None) -> int:
    return _NOWHERE if segment is None else _CODES[segment]


def _revision(customer: str, run: _Run, first: Stand, day: int) -> ScoreRevised:
    row = first.rows.get(customer)
    return ScoreRevised(
        customer_id=id_of(customer),
        day=day,
        currency=first.currency,
        score="segment",
        as_of=run.as_of,
        until=run.until,
        old=NAMES[run.old],
        new=None if run.new == _NOWHERE else NAMES[run.new],
        grades=None if row is None else first.grades(row),
    )
