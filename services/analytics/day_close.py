"""What the close of a day says of the customers of one currency: only what the log does not say yet.

Nothing here reads or writes. What was said of a day that was closed only halfway counts as said, so a close that is
taken up again says the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

import numpy as np

from services.analytics.buying import WEEK, Buying, Counts
from services.analytics.events import CustomerAtRisk, PurchaseDue, SegmentEntered, SegmentLeft, SegmentName
from services.analytics.histories import IntArray
from services.analytics.stand import Stand, id_of, subject_of
from services.analytics.value import LAPSES, Lapse, lapse_bands
from services.analytics.waiting import WINDOW, Waiting
from shared.events import Event

HIGH: Final = 0.7
"""The risk of lapse from which a customer is at risk."""
_DAYS_BITS: Final = 32


class Stay(NamedTuple):
    """The segment that a customer stands in, and since the close of which day."""

    segment: SegmentName
    since: int


@dataclass
class Said:
    """What the log says of the customers of one currency, by subject.

    Attributes:
        stays: Who stands in which segment.
        leaving: Who was said to have left a segment, and not yet to have entered another one.
        warned: Who was said to be at risk, with the last purchase day then.
        reminded: Whose purchase was said to be due, with the last purchase day then.
    """

    stays: dict[str, Stay] = field(default_factory=dict)
    leaving: dict[str, SegmentName] = field(default_factory=dict)
    warned: set[tuple[str, int]] = field(default_factory=set)
    reminded: set[tuple[str, int]] = field(default_factory=set)

    def after(self, events: Iterable[Event]) -> Self:
        """The same after more events; of an event that it has heard already it learns nothing."""
        for event in events:
            match event:
                case SegmentEntered():
                    self.stays[subject_of(event.customer_id)] = Stay(event.segment, event.day)
                    self.leaving.pop(subject_of(event.customer_id), None)
                case SegmentLeft():
                    self.stays.pop(subject_of(event.customer_id), None)
                    if event.following is not None:
                        self.leaving[subject_of(event.customer_id)] = event.segment
                case CustomerAtRisk():
                    self.warned.add((subject_of(event.customer_id), event.last_day))
                case PurchaseDue():
                    self.reminded.add((subject_of(event.customer_id), event.last_day))
        return self


def moves(stand: Stand, said: Said, absorbed: Collection[str]) -> Iterator[Event]:
    """Who stands elsewhere than the log says; `absorbed` are those who count for others by now."""
    for customer, stay in sorted(said.stays.items()):
        if customer not in stand.rows:
            yield SegmentLeft(
                customer_id=id_of(customer),
                day=stand.day,
                currency=stand.currency,
                segment=stay.segment,
                since=stay.since,
                following=None,
                cause="absorbed" if customer in absorbed else "no purchases",
                grades=None,
            )
    for row, (customer, segment) in enumerate(zip(stand.customers, stand.segments, strict=True)):
        before = said.stays.get(customer)
        if before is None or before.segment != segment:
            yield from _move(stand, row, segment, before, said.leaving.get(customer))


def _move(
    stand: Stand, row: int, segment: SegmentName, before: Stay | None, left: SegmentName | None
) -> Iterator[Event]:
    customer_id, grades = id_of(stand.customers[row]), stand.grades(row)
    if before is not None:
        yield SegmentLeft(
            customer_id=customer_id,
            day=stand.day,
            currency=stand.currency,
            segment=before.segment,
            since=before.since,
            following=segment,
            cause="moved",
            grades=grades,
        )
    yield SegmentEntered(
        customer_id=customer_id,
        day=stand.day,
        currency=stand.currency,
        segment=segment,
        previous=before.segment if before else left,
        grades=grades,
    )


def lapses(stand: Stand, said: Said, buying: Buying, horizon: int, model: str) -> Iterator[CustomerAtRisk]:
    """Whose lapse band is high, as nobody has said since the last purchase; the horizon is in days."""
    bought, day = stand.histories.bought, stand.day
    counts = Counts.each(bought.days - 1, bought.last - bought.first, day - bought.first)
    active = buying.active(counts, horizon / WEEK)
    for row in np.flatnonzero(lapse_bands(active, high=HIGH) == LAPSES.index(Lapse.HIGH)).tolist():
        customer, last = stand.customers[row], int(bought.last[row])
        if (customer, last) not in said.warned:
            yield CustomerAtRisk(
                customer_id=id_of(customer),
                day=day,
                currency=stand.currency,
                first_day=int(bought.first[row]),
                last_day=last,
                purchase_days=int(bought.days[row]),
                probability=1 - float(active[row]),
                threshold=HIGH,
                horizon_days=horizon,
                model=model,
            )


def dues(stand: Stand, said: Said, waiting: Waiting, model: str) -> Iterator[PurchaseDue]:
    """Whose next purchase is due and not yet overdue, as nobody has said since the last one.

    A single purchase says nothing of its own, and nobody is reminded of what the population alone suggests.
    """
    bought, day = stand.histories.bought, stand.day
    intervals, total = bought.days - 1, bought.last - bought.first
    earliest, due, latest = (bought.last + ahead for ahead in _ahead(waiting, intervals, total))
    for row in np.flatnonzero((intervals > 0) & (due <= day) & (day <= latest)).tolist():
        customer, last = stand.customers[row], int(bought.last[row])
        if (customer, last) not in said.reminded:
            yield PurchaseDue(
                customer_id=id_of(customer),
                day=day,
                currency=stand.currency,
                last_day=last,
                due_day=int(due[row]),
                earliest_day=int(earliest[row]),
                latest_day=int(latest[row]),
                intervals=int(intervals[row]),
                interval_days=int(total[row]),
                model=model,
            )


def _ahead(waiting: Waiting, intervals: IntArray, total: IntArray) -> Iterator[IntArray]:
    """Days from the last purchase to the start, the middle and the end of the window of the next one."""
    # A quantile takes a microsecond, and customers with as many intervals of the same sum share theirs.
    distinct, place = np.unique(intervals << _DAYS_BITS | total, return_inverse=True)
    for p in (WINDOW[0], 0.5, WINDOW[1]):
        days = waiting.quantile(p, distinct >> _DAYS_BITS, distinct & (1 << _DAYS_BITS) - 1)
        yield np.floor(days + 0.5).astype(np.int64)[place]
