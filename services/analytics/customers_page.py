"""The customers behind a figure: whoever opens a number of the base lands in this list."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final, Literal

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse

from services.analytics.cohorts_page import month
from services.analytics.explain import Score
from services.analytics.figures import Rows
from services.analytics.insights import Choices, Tab, insight
from services.analytics.kept import kept
from services.analytics.loyalty import SEGMENTS, Letter, Segment
from services.analytics.loyalty_page import segment_chips
from services.analytics.question import Viewed
from services.analytics.score_words import LAPSE_NAMES, LAPSE_TONES, NAMES
from services.analytics.scoring import Scoring, scoring
from services.analytics.selection import BIN, NOT_YET, Selection
from services.analytics.value import LAPSES, Lapse
from services.analytics.words import SEGMENT_NAMES, Reader
from shared.clock import date_of, day_number
from shared.errors import Refused
from shared.projections import Snapshot
from shared.web import guard
from shared.web.guard import may
from shared.web.serving import Frame, Here

router = guard.router(include_in_schema=False)
_SHOWN: Final = 50
_MONTHS: Final = 12
Month = Annotated[str | None, Query(pattern=r"^(19|20)\d\d-(0[1-9]|1[0-2])$")]


@dataclass(frozen=True)
class Member:
    """One customer of the list. Days count from 1970-01-01, amounts are minor units, what no model gives is None."""

    customer: str
    segment: str
    r: int
    f: int
    m: int
    last: int
    days: int
    gross: int
    index: float
    lapse: Lapse | None
    value: int | None


def selected(
    segment: Segment | None = None,
    was: Segment | Literal["none"] | None = None,
    since: date | None = None,
    lapse: Lapse | None = None,
    letter: Letter | None = None,
    score: Annotated[int | None, Query(ge=1, le=5)] = None,
    points: Annotated[int | None, Query(ge=0, le=90)] = None,
    first: Month = None,
    active: Month = None,
) -> Selection:
    """What the address says of the customers that are wanted."""
    if (was is None) != (since is None):
        raise Refused("must come together with since", field="was")
    if (letter is None) != (score is None):
        raise Refused("must come together with score", field="letter")
    day = None if since is None else day_number(since)
    return Selection(segment, was, day, lapse, letter, score, points, _month(first), _month(active))


Selected = Annotated[Selection, Depends(selected)]
"""The conditions of a list of customers, as an endpoint's parameter."""


@router.get("/customers")
@may("analyst", "manager", "specialist")
async def customers(
    request: Request,
    here: Here,
    frame: Frame,
    viewed: Viewed,
    wanted: Selected,
    start: Annotated[int, Query(ge=0, le=10**9)] = 0,
) -> HTMLResponse:
    """The customers behind a figure, the most loyal first."""
    answers = kept(here.models)

    def compose(db: Snapshot, choices: Choices) -> Mapping[str, Any]:
        found = answers.renewed(db, scoring, choices.ground.scope)
        places = wanted.of(found)
        after = start + _SHOWN
        return {
            "members": [member(found, place) for place in places[start:after]],
            "total": len(places),
            "said": said(wanted, choices.reader),
            "chips": segment_chips(found.population, choices, wanted.segment),
            "first": choices.way() if start else None,
            "next": choices.way(start=after) if after < len(places) else None,
            "lapse_names": LAPSE_NAMES,
            "lapse_tones": LAPSE_TONES,
            "asked": filters(wanted),
        }

    more = filters(wanted)
    return await insight(request, here, frame, viewed, Tab.LOYALTY, compose, page="customers", more=more)


def member(found: Scoring, place: int) -> Member:
    """One customer of a base, by its place in the columns."""
    bought, value, lapse = found.bought, found.value, found.lapse
    last, days, gross = int(bought.last[place]), int(bought.days[place]), int(bought.gross[place])
    standing = found.population.ranking.place(last, days, gross)
    return Member(
        customer=found.histories.customers[bought.who[place]],
        segment=SEGMENTS[found.segments[place]].value,
        r=standing.r,
        f=standing.f,
        m=standing.m,
        last=last,
        days=days,
        gross=gross,
        index=float(found.index.total[place]),
        lapse=None if lapse is None else LAPSES[lapse[place]],
        value=None if value is None else round(float(value[place])),
    )


def filters(wanted: Selection) -> dict[str, str | None]:
    """The conditions as an address says them."""
    return {
        "segment": wanted.segment,
        "was": wanted.was,
        "since": None if wanted.since is None else date_of(wanted.since).isoformat(),
        "lapse": wanted.lapse,
        "letter": wanted.letter,
        "score": None if wanted.score is None else str(wanted.score),
        "points": None if wanted.points is None else str(wanted.points),
        "first": None if wanted.first is None else month(wanted.first).isoformat()[:7],
        "active": None if wanted.active is None else month(wanted.active).isoformat()[:7],
    }


def said(wanted: Selection, reader: Reader) -> list[str]:
    """The conditions in words."""
    return list(_said(wanted, reader))


def _said(wanted: Selection, reader: Reader) -> Iterator[str]:
    _, formats = reader.words.gettext, reader.formats
    if wanted.segment is not None:
        yield _("Segment: %(segment)s") % {"segment": _(SEGMENT_NAMES[wanted.segment])}
    if wanted.was is not None:
        was = _("not yet a customer") if wanted.was == NOT_YET else _(SEGMENT_NAMES[Segment(wanted.was)])
        yield _("on %(day)s: %(segment)s") % {"day": formats.date(wanted.since, "long"), "segment": was}
    if wanted.lapse is not None:
        yield _("Risk of lapsing: %(risk)s") % {"risk": _(LAPSE_NAMES[wanted.lapse])}
    if wanted.letter is not None and wanted.score is not None:
        name = {"r": Score.RECENCY, "f": Score.FREQUENCY, "m": Score.MONEY}[wanted.letter]
        yield _("%(name)s: score %(score)s") % {"name": _(NAMES[name]), "score": formats.number(wanted.score)}
    if wanted.points is not None:
        told = {"low": formats.number(wanted.points), "high": formats.number(wanted.points + BIN)}
        yield _("Loyalty index from %(low)s to %(high)s") % told
    if wanted.first is not None:
        yield _("First order in %(month)s") % {"month": formats.date(month(wanted.first), "LLLL y")}
    if wanted.active is not None:
        yield _("Bought in %(month)s") % {"month": formats.date(month(wanted.active), "LLLL y")}


def member_rows(found: Scoring, wanted: Selection, currency: str) -> Rows:
    """The list as plain figures, under the names of its columns."""
    yield (
        "customer",
        "segment",
        "r",
        "f",
        "m",
        "last",
        "purchase_days",
        "currency",
        "gross_minor",
        "index",
        "risk",
        "value_minor",
    )
    for place in wanted.of(found):
        each = member(found, place)
        who, last = each.customer.removeprefix("customer-"), date_of(each.last).isoformat()
        scores = (each.r, each.f, each.m)
        yield who, each.segment, *scores, last, each.days, currency, each.gross, each.index, each.lapse, each.value


def _month(text: str | None) -> int | None:
    """A month such as 2010-03, counted from January 1970."""
    if text is None:
        return None
    year, number = re.split("-", text)
    return (int(year) - 1970) * _MONTHS + int(number) - 1
