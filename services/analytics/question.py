"""How a question comes in over HTTP: a business day, a source and a currency."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import Depends, Query

from services.analytics.scope import Question
from shared.clock import business_day, day_number
from shared.service import Platform
from shared.values import Code, Currency
from shared.web.serving import Here

AsOf = Annotated[date | None, Query(description="The last business day that counts; today if left out.")]
Source = Annotated[Code | None, Query(description="Only customers known by this source, e.g. online-retail.")]
Money = Annotated[Currency | None, Query(description="The currency to count in, where there are several.")]


def today(here: Platform) -> int:
    """The business day of this moment."""
    return business_day(here.log.clock(), here.log.timezone)


def _asked(here: Here, as_of: AsOf = None, source: Source = None, currency: Money = None) -> Question:
    return Question(day_number(as_of) if as_of else today(here), source, currency)


Asked = Annotated[Question, Depends(_asked)]
"""The question of a request, as an endpoint's parameter."""
