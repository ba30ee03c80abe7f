"""Standing: what the closes of days said, so that the next close says only what is new, and readers see who moved when.

Sums where addition is enough: an event that comes again, or late, adds nothing wrong to who stands where.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.analytics.events import (
    CustomerAtRisk,
    DayClosed,
    PurchaseDue,
    ScoreRevised,
    SegmentEntered,
    SegmentLeft,
)
from services.contacts.events import SubjectErased
from shared.envelope import Recorded
from shared.projections import Document, EventId, Family, Stream, Subject, Sum, Text, Whole, f

members = Sum(
    "segment_members",
    key=(Subject("customer"), Text("currency"), Text("segment")),
    adds=("here",),
    latest=("since",),
    indexes=("segment",),
)
"""`here` is 1 for the segment that a customer stands in, `since` the day of the last entry into it."""
members.on(SegmentEntered, currency=f.currency, segment=f.segment, here=+1, since=f.day)
members.on(SegmentLeft, currency=f.currency, segment=f.segment, here=-1)

warned = Sum("at_risk_said", key=(Subject("customer"), Text("currency"), Whole("last_day")), adds=("times",))
warned.on(CustomerAtRisk, currency=f.currency, last_day=f.last_day, times=+1)

reminded = Sum("due_said", key=(Subject("customer"), Text("currency"), Whole("last_day")), adds=("times",))
reminded.on(PurchaseDue, currency=f.currency, last_day=f.last_day, times=+1)


@dataclass(frozen=True)
class Move:
    """A customer came to stand in another segment, or in none; `grades` is the JSON of what that follows from."""

    customer: str = ""
    currency: str = ""
    day: int = 0
    position: int = 0
    previous: str | None = None
    segment: str | None = None
    cause: str | None = None
    grades: str | None = None


moves = Document("segment_moves", Move, key=EventId("event"), about="customer", indexes=("customer", "day"))


@moves.on(SegmentEntered)
def _(_row: Move, event: SegmentEntered, at: Recorded) -> Move:
    grades = event.grades.model_dump_json()
    return Move(at.subject, event.currency, event.day, at.position, event.previous, event.segment, "moved", grades)


@moves.on(SegmentLeft)
def _(_row: Move, event: SegmentLeft, at: Recorded) -> Move | None:
    if event.following is not None:
        return None  # its entry into the following segment says the same
    return Move(at.subject, event.currency, event.day, at.position, event.segment, None, event.cause)


@dataclass(frozen=True)
class Revision:
    """What would now be said of a customer for the days from `as_of` to `until`."""

    customer: str = ""
    currency: str = ""
    day: int = 0
    position: int = 0
    as_of: int = 0
    until: int = 0
    old: str = ""
    new: str | None = None


revisions = Document("revisions", Revision, key=EventId("event"), about="customer", indexes=("customer", "until"))


@revisions.on(ScoreRevised)
def _(_row: Revision, event: ScoreRevised, at: Recorded) -> Revision:
    days = (event.day, at.position, event.as_of, event.until)
    return Revision(at.subject, event.currency, *days, event.old, event.new)


@dataclass(frozen=True)
class Closed:
    """A day that was closed; `payload` is the JSON of its event, `recorded_at` when that was."""

    day: int = 0
    position: int = 0
    recorded_at: str = ""
    payload: str = ""


closed = Document("closed_days", Closed, key=Stream("stream"), indexes=("day",))


@closed.on(DayClosed)
def _(_row: Closed, event: DayClosed, at: Recorded) -> Closed:
    return Closed(event.day, at.position, at.meta.recorded_at, event.model_dump_json())


family = Family(
    "standing",
    version=2,
    tables=(members, warned, reminded, moves, revisions, closed),
    forgets=SubjectErased,
)
"""What the day closes said."""
