"""How a question comes in over HTTP: a business day, a source and a currency; pages remember the day."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

from fastapi import Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from services.analytics.scope import Question
from shared.clock import business_day, date_of, day_number
from shared.errors import Refused
from shared.service import Platform
from shared.values import Code, Currency
from shared.web.serving import Here

AsOf = Annotated[date | None, Query(description="The last business day that counts; today if left out.")]
Source = Annotated[Code | None, Query(description="Only customers known by this source, e.g. online-retail.")]
Money = Annotated[Currency | None, Query(description="The currency to count in, where there are several.")]


DAY_COOKIE: Final = "as_of"


def today(here: Platform) -> int:
    """The business day of this moment."""
    return business_day(here.log.clock(), here.log.timezone)


def _asked(here: Here, as_of: AsOf = None, source: Source = None, currency: Money = None) -> Question:
    return Question(day_number(as_of) if as_of else today(here), source, currency)


Asked = Annotated[Question, Depends(_asked)]
"""The question of a request, as an endpoint's parameter."""


def _viewed(
    request: Request, here: Here, as_of: str | None = None, source: str | None = None, currency: Money = None
) -> Question:
    """What a page asks: without a day in the address the one chosen before; an empty one means today."""
    if as_of is None:
        kept = request.cookies.get(DAY_COOKIE, "")
        day = _day(kept) if kept else None
    else:
        day = _day(as_of) if as_of else None
        if as_of and day is None:
            raise Refused("must be a day such as 2010-12-09", field="as_of")
    return Question(today(here) if day is None else day, source or None, currency)


Viewed = Annotated[Question, Depends(_viewed)]
"""The question of a page, as an endpoint's parameter."""


def remember(request: Request, response: Response, question: Question, here: Platform) -> None:
    """Let the chosen day stay until the browser is closed; today needs no remembering."""
    secure = request.url.scheme == "https"
    if question.as_of == today(here):
        response.delete_cookie(DAY_COOKIE, path="/", samesite="lax", httponly=True, secure=secure)
    else:
        chosen = date_of(question.as_of).isoformat()
        response.set_cookie(DAY_COOKIE, chosen, path="/", samesite="lax", httponly=True, secure=secure)


def _day(text: str) -> int | None:
    try:
        return day_number(date.fromisoformat(text))
    except ValueError:
        return None
