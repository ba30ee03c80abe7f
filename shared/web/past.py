"""The `?as_of=` and `?known_at=` of a request: what is wrong with them is told by name."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import Depends, Query
from pydantic import TypeAdapter, ValidationError

from shared.clock import business_day, day_number
from shared.past import Past, position_at
from shared.service import Platform
from shared.values import Instant
from shared.web.problems import Problem
from shared.web.serving import Here

_INSTANT: Final[TypeAdapter[datetime]] = TypeAdapter(Instant)
_DAY: Final = "must be a day such as 2010-12-09"
_MOMENT: Final = "must be an instant with its offset, such as 2026-03-01T09:30:00+01:00, or a position"
_DIGITS: Final = 18


def today(here: Platform) -> int:
    """The business day of this moment."""
    return business_day(here.log.clock(), here.log.timezone)


def day_of(here: Platform, field: str, text: str) -> int:
    """The business day that a parameter names.

    Raises:
        Problem: 400, it is no day, or one that has not come yet.
    """
    try:
        day = day_number(date.fromisoformat(text))
    except ValueError:
        raise Problem.of_field(400, field, _DAY) from None
    if day > today(here):
        raise Problem.of_field(400, field, "must not lie in the future")
    return day


async def moment_of(here: Platform, field: str, text: str, *, local: bool = False) -> int:
    """The position that a parameter names, itself or by an instant; with `local` one without offset is of our zone.

    Raises:
        Problem: 400, it is neither, or one that has not come yet.
    """
    if text.isascii() and text.isdigit() and len(text) <= _DIGITS:
        position, head = int(text), await here.log.store.position()
        if position > head:
            raise Problem.of_field(400, field, f"must not lie behind the last position, {head}")
        return position
    try:
        moment = _INSTANT.validate_python(_with_offset(text, here.log.timezone) if local else text)
    except (ValidationError, OverflowError):
        raise Problem.of_field(400, field, _MOMENT) from None
    if moment > here.log.clock():
        raise Problem.of_field(400, field, "must not lie in the future")
    return await position_at(here.log.store, moment)


def _with_offset(text: str, zone: str) -> str | datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))


async def _known_at(
    here: Here,
    known_at: Annotated[
        str | None, Query(description="Only what was recorded by then: an instant with its offset, or a position.")
    ] = None,
) -> int | None:
    return await moment_of(here, "known_at", known_at) if known_at else None


KnownAt = Annotated[int | None, Depends(_known_at)]
"""The `?known_at=` of a request as a position, as an endpoint's parameter; None is everything that is known."""


async def _past(
    here: Here,
    known_at: KnownAt,
    as_of: Annotated[str | None, Query(description="The last business day that counts; today if left out.")] = None,
) -> Past:
    return Past(day_of(here, "as_of", as_of) if as_of else None, known_at)


AskedPast = Annotated[Past, Depends(_past)]
"""Both, as an endpoint's parameter."""
