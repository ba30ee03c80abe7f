"""The values that commands and events are made of: checked where they come in, the same everywhere after."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import phonenumbers
from babel import Locale
from babel.numbers import list_currencies
from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

_CONTROL: Final = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_INVISIBLE: Final = r"\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
_NO_TEXT: Final = r"\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
_NOT_IN_A_LINE: Final = re.compile(f"[{_CONTROL}{_INVISIBLE}{_NO_TEXT}]")
_NOT_IN_PROSE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f" + _INVISIBLE + _NO_TEXT + "]")
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_PRICE: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_FIRST_YEAR: Final = 1900
# What CLDR lists beside ISO 3166-1: reserved codes, groups and test regions.
_NO_COUNTRY: Final = frozenset(
    ("AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ")
)


def _line(value: Any) -> Any:
    return _clean(value, _NOT_IN_A_LINE, "control or invisible characters") if isinstance(value, str) else value


def _prose(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    unified = value.replace("\r\n", "\n")
    return _clean(unified, _NOT_IN_PROSE, "control or invisible characters other than line breaks and tabs")


def _clean(text: str, forbidden: re.Pattern[str], what: str) -> str:
    if text.isascii() and text.isprintable():  # most of what comes in, at a third of the cost
        return text.strip()
    if forbidden.search(text):
        raise ValueError(f"must not hold {what}")
    return unicodedata.normalize("NFC", text).strip()


def _email(text: str) -> str:
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError:
        raise ValueError("must be an e-mail address such as name@company.com") from None


def _phone(text: str) -> str:
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number) or number.extension:
        raise ValueError("must be a phone number with its country code, such as +31 20 123 4567")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _country(text: str) -> str:
    if text not in countries():
        raise ValueError("must be a country code of ISO 3166 in two capital letters, such as NL")
    return text


def _currency(text: str) -> str:
    if text not in currencies():
        raise ValueError("must be a currency code of ISO 4217 in three capital letters, such as EUR")
    return text


def _price(text: str) -> str:
    if not _PRICE.fullmatch(text):
        raise ValueError('must be a decimal number of at least 0 with at most six decimals, such as "6.95"')
    return text


def _instant(value: Any) -> Any:
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and _INSTANT.fullmatch(value):
            return datetime.fromisoformat(value.upper())
    except ValueError:  # a day or an hour that no calendar has
        pass
    raise ValueError("must be an instant with its offset, such as 2026-03-01T09:30:00+01:00")


def _utc(instant: datetime) -> datetime:
    try:
        moved = instant.astimezone(UTC)
    except OverflowError:
        moved = None
    if moved is None or moved.year < _FIRST_YEAR:
        raise ValueError(f"must lie between the years {_FIRST_YEAR} and 9999")
    return moved


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):  # unknown, no name of a zone, or a folder of zones
        raise ValueError("must be a time zone of the IANA database, such as Europe/Amsterdam") from None
    return text


@cache
def countries() -> frozenset[str]:
    """The codes of ISO 3166-1, two letters each."""
    codes = {str(code) for code in Locale("en").territories}
    return frozenset(code for code in codes if re.fullmatch("[A-Z]{2}", code)) - _NO_COUNTRY


@cache
def currencies() -> frozenset[str]:
    """The codes of ISO 4217, those of former currencies among them: old orders were paid in them."""
    return frozenset(list_currencies())


def price(text: str) -> Decimal:
    """The number that a `UnitPrice` stands for, exactly."""
    return Decimal(text)


Text = Annotated[str, Field(strict=True, min_length=1, max_length=200), BeforeValidator(_line)]
"""One line of text in NFC, 1 to 200 characters, without control, bidi or invisible characters."""

Name = Annotated[str, Field(strict=True, min_length=1, max_length=200), BeforeValidator(_line)]
"""The name of a person, an organisation or a thing: one line, 1 to 200 characters."""

Prose = Annotated[str, Field(strict=True, min_length=1, max_length=10_000), BeforeValidator(_prose)]
"""Text of several lines in NFC, 1 to 10,000 characters."""

Code = Annotated[str, Field(strict=True, min_length=1, max_length=64), BeforeValidator(_line)]
"""A code that another system gave, case kept: 1 to 64 characters."""

Email = Annotated[
    str,
    Field(strict=True, max_length=254, json_schema_extra={"format": "email"}),
    BeforeValidator(_line),
    AfterValidator(_email),
]
"""An e-mail address, its domain in lower case."""

Phone = Annotated[str, Field(strict=True, max_length=40), BeforeValidator(_line), AfterValidator(_phone)]
"""A phone number in E.164, e.g. `+31201234567`; written in any way that has its country code."""

Country = Annotated[str, Field(strict=True, json_schema_extra={"pattern": "^[A-Z]{2}$"}), AfterValidator(_country)]
"""A country by its two letters of ISO 3166-1."""

Currency = Annotated[str, Field(strict=True, json_schema_extra={"pattern": "^[A-Z]{3}$"}), AfterValidator(_currency)]
"""A currency by its three letters of ISO 4217."""

Instant = Annotated[AwareDatetime, BeforeValidator(_instant), AfterValidator(_utc)]
"""A moment, sent as text with its offset (RFC 3339) and kept in UTC."""

Zone = Annotated[str, Field(strict=True, min_length=1, max_length=64), AfterValidator(_zone)]
"""A time zone by its IANA name, e.g. `Europe/Amsterdam`."""

Count = Annotated[int, Field(strict=True, ge=1, le=2**31)]
"""How many: 1 to 2^31."""

Minor = Annotated[int, Field(strict=True, gt=-(2**53), lt=2**53)]
"""Money in the smallest unit of its currency; every language reads it without loss."""

UnitPrice = Annotated[
    str, Field(strict=True, json_schema_extra={"pattern": f"^{_PRICE.pattern}$"}), AfterValidator(_price)
]
"""A price per piece as a decimal string with at most six decimals, e.g. `6.95`."""
