"""The page of movements: where the customers of each segment went between two days."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.analytics.figures import Rows
from services.analytics.heat import Cell, Heat, Row, level
from services.analytics.histories import histories
from services.analytics.insights import Choices, Tab, insight
from services.analytics.kept import Kept, kept
from services.analytics.loyalty import SEGMENTS, Segment
from services.analytics.migration import Migration
from services.analytics.movement import movement
from services.analytics.question import Viewed
from services.analytics.scope import Scope
from services.analytics.selection import NOT_YET
from services.analytics.words import SEGMENT_NAMES, Reader
from shared.clock import date_of, day_number
from shared.errors import Refused
from shared.projections import Snapshot
from shared.web import guard
from shared.web.guard import may
from shared.web.serving import Frame, Here

router = guard.router(include_in_schema=False)
BACK: Final = 90
"""Days that the first date lies back where none is chosen."""


@router.get("/movements")
@may("analyst", "manager", "specialist")
async def movements(
    request: Request, here: Here, frame: Frame, viewed: Viewed, since: Annotated[str, Query(alias="from")] = ""
) -> HTMLResponse:
    """How customers moved between segments until the day."""
    answers, first = kept(here.models), first_day(since, viewed.as_of)

    def compose(db: Snapshot, choices: Choices) -> Mapping[str, Any]:
        found = read_movement(db, answers, choices.ground.scope, first)
        return {"found": found, "heat": heat(found, first, choices) if found.n else None, "first": date_of(first)}

    more = {"from": date_of(first).isoformat()}
    return await insight(request, here, frame, viewed, Tab.MOVEMENTS, compose, more=more)


def first_day(text: str, last: int) -> int:
    """The first of the two days: a quarter back where none is named.

    Raises:
        Refused: it is no day, or after the last.
    """
    try:
        day = day_number(date.fromisoformat(text)) if text else max(last - BACK, day_number(date.min))
    except ValueError:
        raise Refused("must be a day such as 2010-06-30", field="from") from None
    if day > last:
        raise Refused("must not be after the other day", field="from")
    return day


def read_movement(db: Snapshot, answers: Kept, scope: Scope, first: int) -> Migration:
    """The movements of a scope between a day and its own."""
    return movement(answers.get(db, histories, scope), first, scope.as_of)


def heat(found: Migration, first: int, choices: Choices) -> Heat:
    """The movements as a table, one row for each segment of the first day; somebody was there."""
    _, formats = choices.reader.words.gettext, choices.reader.formats
    since = date_of(first).isoformat()
    rows = [
        Row(
            _(SEGMENT_NAMES[before]),
            (formats.number(sum(found.moves[before].values())),),
            _cells(before.value, found.moves[before], since, choices),
        )
        for before in SEGMENTS
    ]
    born = sum(found.born.values())
    rows.append(Row(_("not yet a customer"), (formats.number(born),), _cells(NOT_YET, found.born, since, choices)))
    days = {"first": formats.date(first, "long"), "last": formats.date(choices.ground.scope.as_of, "long")}
    note = _("Rows: segments on %(first)s. Columns: the same customers on %(last)s.") % days
    columns = (_("segment"), _("customers"), *(_(SEGMENT_NAMES[segment]) for segment in SEGMENTS))
    return Heat(_message(found, choices.reader), note, columns, 2, tuple(rows))


def movement_rows(found: Migration) -> Rows:
    """The movements as plain figures, under their names."""
    yield "from", *(segment.value for segment in SEGMENTS), "gone"
    for before in SEGMENTS:
        yield before.value, *(found.moves[before][after] for after in SEGMENTS), found.gone[before]
    yield "", *(found.born[after] for after in SEGMENTS), 0


def _cells(was: str, counts: Mapping[Segment, int], since: str, choices: Choices) -> tuple[Cell, ...]:
    _, formats = choices.reader.words.gettext, choices.reader.formats
    total = sum(counts.values()) or 1
    cells = []
    for after in SEGMENTS:
        count = counts[after]
        told = {"share": formats.percent(count / total), "segment": _(SEGMENT_NAMES[after])}
        tip = _("%(share)s of them are %(segment)s now") % told
        href = choices.customers(segment=after.value, was=was, since=since) if count else None
        cells.append(Cell(formats.number(count), level(count / total, 1), tip, href))
    return tuple(cells)


def _message(found: Migration, reader: Reader) -> str:
    """What became of the champions, or where there were none, how many stayed where they were."""
    _, formats = reader.words.gettext, reader.formats
    champions = found.moves[Segment.CHAMPION]
    all_champions = sum(champions.values())
    if all_champions:
        told = {
            "all": formats.number(all_champions),
            "still": formats.number(champions[Segment.CHAMPION]),
            "risk": formats.number(champions[Segment.AT_RISK]),
        }
        return _("Of %(all)s champions %(still)s still are, and %(risk)s are at risk") % told
    stayed = sum(found.moves[segment][segment] for segment in SEGMENTS)
    return _("%(share)s of all customers stayed in their segment") % {"share": formats.percent(stayed / found.n)}
