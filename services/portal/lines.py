"""The lines of orders and credit notes: asked for, priced, and added up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Annotated, Final
from uuid import UUID

from babel.numbers import get_currency_precision
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from services.portal.events import Line
from shared.errors import Refused
from shared.events import Event
from shared.store import MAX_EVENT_BYTES
from shared.values import Code, Count, Minor, Text, UnitPrice, price

MAX_LINES: Final = 1_500
"""About as many lines as one event can carry."""

_ROOM: Final = 16 * 1024
"""Bytes kept free, so that the cancellation of the largest order, which repeats its lines, fits as well."""

_ALWAYS_FIT: Final = 128
"""Lines that one event can carry whatever they say: each takes 1,200 bytes at most."""

_LARGEST: Final = 2**53
_LINES: Final = TypeAdapter(tuple[Line, ...])
"""A third faster than to make them one by one."""
_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _source(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", text):
        raise ValueError("must be a short name of a system in small letters, digits, dots and dashes, such as webshop")
    return text


Source = Annotated[str, Field(strict=True), AfterValidator(_source)]
"""The system that numbers an order or a product. Without slashes: ids are made of source/number."""

DEFAULT_SOURCE: Final = "portal"
"""What is numbered by no other system."""


class Item(BaseModel):
    """A line as it is asked for; the amount follows from the price, or is given, or both, when they agree."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    code: Code
    description: Text | None = None
    quantity: Count
    unit_price: UnitPrice | None = None
    amount_minor: Annotated[Minor, Field(ge=0)] | None = None


def priced(items: Sequence[Item], currency: str) -> tuple[Line, ...]:
    """The lines with their amounts in the currency's minor unit.

    Raises:
        Refused: there is no line, or an amount is missing, too large, or not what quantity and price make.
    """
    if not items:
        raise Refused("needs at least one line", field="lines")
    digits = get_currency_precision(currency)
    return _LINES.validate_python(
        tuple(
            {
                "ordinal": number,
                "code": item.code,
                "description": item.description,
                "quantity": item.quantity,
                "unit_price": item.unit_price,
                "amount_minor": _amount(item, digits, number),
            }
            for number, item in enumerate(items, 1)
        )
    )


def total(lines: Sequence[Line]) -> int:
    """The sum of the amounts; Refused beyond what every language can read without loss."""
    amount = sum(line.amount_minor for line in lines)
    if amount >= _LARGEST:
        raise Refused("the amounts add up to more than a number can carry", field="lines")
    return amount


def check_size(event: Event, line_count: int) -> None:
    """Refuse what is too large for one event, while the person who sends it can still split it."""
    if line_count > _ALWAYS_FIT and len(event.model_dump_json().encode()) > MAX_EVENT_BYTES - _ROOM:
        raise Refused(
            f"{line_count:,} lines of this length are too many; split them, {MAX_LINES:,} short ones fit", field="lines"
        )


def short_number(id_: UUID) -> str:
    """A number that people can read out, made of an id: ten digits and letters without I, L, O and U."""
    bits = id_.int % 2**50
    letters = "".join(_LETTERS[bits >> shift & 31] for shift in range(45, -1, -5))
    return f"{letters[:5]}-{letters[5:]}"


def _amount(item: Item, digits: int, number: int) -> int:
    if item.unit_price is None:
        if item.amount_minor is None:
            raise Refused("needs an amount or a unit price", field=_field(number))
        return item.amount_minor
    computed = int((_in_minor(item.unit_price, digits) * item.quantity).to_integral_value(ROUND_HALF_UP))
    if computed >= _LARGEST:
        raise Refused("is more than a number can carry", field=_field(number))
    if item.amount_minor is None:
        return computed
    if abs(item.amount_minor - computed) > 1:
        reason = f"must be {computed}, which is quantity times unit price, give or take 1"
        raise Refused(reason, field=_field(number))
    return item.amount_minor


@lru_cache(10_000)
def _in_minor(unit_price: str, digits: int) -> Decimal:
    return price(unit_price).scaleb(digits)


def _field(number: int) -> str:
    return f"lines[{number - 1}].amount_minor"
