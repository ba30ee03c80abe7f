"""Instants and business days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]
_EPOCH: Final = date(1970, 1, 1).toordinal()


def utc_now() -> datetime:
    """This instant, in UTC."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """An instant as it is stored: RFC 3339 in UTC with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def business_day(moment: datetime, timezone: str) -> int:
    """The calendar day of an instant in a time zone, in days since 1970-01-01."""
    return day_number(moment.astimezone(ZoneInfo(timezone)).date())


def day_number(day: date) -> int:
    """A date as days since 1970-01-01."""
    return day.toordinal() - _EPOCH


def date_of(day: int) -> date:
    """Days since 1970-01-01 as a date."""
    return date.fromordinal(day + _EPOCH)
