"""From which business day the pages look at purchases: the day in the address, or the one chosen among the insights."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request

from shared.errors import Refused

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


def said(day: Day) -> str:
    """The day as fragments are asked for it; empty is today, whatever was chosen elsewhere."""
    return day.isoformat() if day else ""
