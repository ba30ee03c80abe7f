"""From where the pages look: the day in the address or the one chosen among the insights, and what was known then."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request

from shared.clock import date_of, day_number
from shared.errors import Refused
from shared.past import Past
from shared.web.past import moment_of, today
from shared.web.serving import Here

Day = date | None
"""A day to look from; None is today."""

DAY_COOKIE: Final = "as_of"
"""Where the pages of insights remember the chosen day."""


def _viewed(request: Request, as_of: str | None = None) -> Day:
    if as_of is None:
        return _day(request.cookies.get(DAY_COOKIE, ""))
    day = _day(as_of)
    if as_of and day is None:
        raise Refused("must be a day such as 2010-12-09", field="as_of")
    return day


def _day(text: str) -> Day:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


Viewed = Annotated[Day, Depends(_viewed)]
"""The day of a page, as an endpoint's parameter."""


async def _seen_from(
    request: Request, here: Here, viewed: Viewed, as_of: str | None = None, known_at: str | None = None
) -> Past:
    day = day_number(viewed) if viewed else None
    if day is not None and day > today(here) and as_of:
        raise Refused("must not lie in the future", field="as_of")
    if day is not None and day >= today(here):
        day = None
    return Past(day, await moment_of(here, "known_at", known_at, local=True) if known_at else None)


SeenFrom = Annotated[Past, Depends(_seen_from)]
"""The point that a page looks from, as an endpoint's parameter; its moment without an offset is one of our zone."""


def said(day: Day) -> str:
    """The day as fragments are asked for it; empty is today, whatever was chosen elsewhere."""
    return day.isoformat() if day else ""


def asked(past: Past) -> dict[str, str]:
    """A point as fragments are asked for it."""
    day = said(date_of(past.as_of)) if past.as_of is not None else ""
    return {"as_of": day} | ({} if past.known_at is None else {"known_at": str(past.known_at)})
