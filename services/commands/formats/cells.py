"""A cell's text as a number, a date, an id or a clean text; what does not fit is rejected with the column's name."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from babel import Locale
from pydantic import TypeAdapter, ValidationError

from services.commands.formats.records import Rejected
from shared.values import Code, Text, countries

MAX_MINOR = 2**53
"""Amounts stay below this, so that every JSON reader has them exactly."""
_TEXT: TypeAdapter[str] = TypeAdapter(Text)
_CODE: TypeAdapter[str] = TypeAdapter(Code)
_WHOLE = re.compile(r"[+-]?[0-9]{1,12}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,6})?")
_NUMERIC_ID = re.compile(r"0*([0-9]+)(\.0+)?")


def whole(cell: str, column: str) -> int:
    """A whole number, with an optional sign."""
    if not _WHOLE.fullmatch(cell.strip()):
        raise Rejected(f"{column}: {shown(cell)} is not a whole number")
    return int(cell)


def decimal(cell: str, column: str) -> Decimal:
    """A decimal number with a point, exact as written."""
    if not _DECIMAL.fullmatch(cell.strip()):
        raise Rejected(f"{column}: {shown(cell)} is not a number")
    return Decimal(cell.strip())


def minor(amount: Decimal, digits: int, column: str) -> int:
    """An amount in minor units, half rounded up; `digits` is how many decimals the currency has."""
    units = int(amount.scaleb(digits).quantize(Decimal(1), ROUND_HALF_UP))
    if units >= MAX_MINOR:
        raise Rejected(f"{column}: the amount {amount} is too large")
    return units


@lru_cache(maxsize=16_384)
def customer_id(cell: str, column: str) -> str:
    """An outside customer id: `13085`, `13085.0` and `0013085` are the same one."""
    if not cell.strip():
        raise Rejected(f"{column}: no customer")
    given = code(cell, column)
    number = _NUMERIC_ID.fullmatch(given)
    return number[1] if number else given


@lru_cache(maxsize=16_384)
def text(cell: str, column: str) -> str | None:
    """A line of text in NFC without surrounding blanks, or None for an empty cell."""
    return _checked(_TEXT, cell, column) if cell.strip() else None


@lru_cache(maxsize=16_384)
def code(cell: str, column: str) -> str:
    """A code that another system gave, case kept; an empty cell is rejected."""
    if not cell.strip():
        raise Rejected(f"{column}: empty")
    return _checked(_CODE, cell, column)


def country(cell: str, column: str) -> str | None:
    """A country's two letters of ISO 3166-1, also when the cell has its English name."""
    given = cell.strip()
    if not given or given.upper() in countries():
        return given.upper() or None
    found = _country_names().get(given.casefold())
    if found is None:
        raise Rejected(f"{column}: {shown(cell)} is not a country; write its two letters of ISO 3166")
    return found


@lru_cache(maxsize=4096)
def instant(cell: str, zone: ZoneInfo, column: str) -> str:
    """A date and time as an instant in UTC; one without an offset is read in `zone`."""
    try:
        moment = datetime.fromisoformat(cell.strip())
    except ValueError:
        raise Rejected(f"{column}: {shown(cell)} is not a date and time (YYYY-MM-DDTHH:MM:SS)") from None
    return _utc(moment if moment.tzinfo else moment.replace(tzinfo=zone), cell, column)


@lru_cache(maxsize=4096)
def day(cell: str, zone: ZoneInfo, column: str) -> tuple[str, str]:
    """A date as (YYYY-MM-DD, the instant in UTC at which it begins in `zone`)."""
    try:
        found = date.fromisoformat(cell.strip())
    except ValueError:
        raise Rejected(f"{column}: {shown(cell)} is not a date (YYYY-MM-DD)") from None
    return found.isoformat(), _utc(datetime.combine(found, time(), zone), cell, column)


def shown(cell: str) -> str:
    """The cell as a message quotes it, cut where it is long."""
    return repr(cell if len(cell) <= 40 else cell[:39] + "…")  # noqa: PLR2004 - a line of a terminal


def _checked(kind: TypeAdapter[str], cell: str, column: str) -> str:
    try:
        return kind.validate_python(cell)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise Rejected(f"{column}: {shown(cell)} {reason[0].lower()}{reason[1:]}") from None


@cache
def _country_names() -> dict[str, str]:
    known = countries()
    return {name.casefold(): letters for letters, name in Locale("en").territories.items() if letters in known}


def _utc(moment: datetime, cell: str, column: str) -> str:
    try:
        return moment.astimezone(UTC).isoformat()
    except OverflowError:
        raise Rejected(f"{column}: {shown(cell)} is out of range") from None
