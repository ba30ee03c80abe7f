"""The forms of an order's page: what was typed, read as a command or answered with what to put right."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from babel.numbers import NumberFormatError, get_currency_precision, parse_decimal
from pydantic import TypeAdapter, ValidationError

from services.portal.order import CancelOrder, RefundOrder
from services.portal.orders import OrderDetail
from shared.values import Text
from shared.web.formats import Formats

Words = Callable[[str], str]
_REASON: Final[TypeAdapter[str]] = TypeAdapter(Text)
_AMOUNT: Final = re.compile(r"[0-9][0-9., '\u2019\u00a0\u202f]{0,19}")


def new_key() -> str:
    """An idempotency key for a form that is shown for the first time."""
    return str(uuid4())


@dataclass(frozen=True)
class Form:
    """A form as it is shown: its key, what was typed, and what is wrong by field."""

    key: str = field(default_factory=new_key)
    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


def refund(typed: Mapping[str, str], order: OrderDetail, formats: Formats, _: Words) -> RefundOrder | dict[str, str]:
    """The refund that was typed, or the errors of the form's fields."""
    left = order.total_minor - order.refunded_minor
    amount = minor(typed["amount"], order.currency, formats.locale)
    errors: dict[str, str] = {}
    if amount is None:
        errors["amount"] = _("Type an amount such as %(example)s.") % {"example": formats.number(12.5, 2)}
    elif not 0 < amount <= left:
        bound = formats.money(left, order.currency)
        errors["amount"] = _("The amount must be above zero and at most %(left)s.") % {"left": bound}
    reason = _reason(typed, "refund_reason", errors, _)
    return errors if errors or amount is None else RefundOrder(amount_minor=amount, reason=reason)


def cancel(typed: Mapping[str, str], order: OrderDetail, _: Words) -> CancelOrder | dict[str, str]:
    """The cancellation that was typed, or the errors of the form's fields."""
    errors: dict[str, str] = {}
    if typed["confirmation"].strip() != order.number:
        errors["confirmation"] = _("Type %(number)s to confirm that you mean this order.") % {"number": order.number}
    reason = _reason(typed, "cancel_reason", errors, _)
    return errors or CancelOrder(reason=reason)


def minor(text: str, currency: str, locale: str) -> int | None:
    """An amount as people in a locale write it, in the currency's minor unit; None when it is no such amount."""
    typed = text.strip()
    if not _AMOUNT.fullmatch(typed):
        return None
    try:
        exact = parse_decimal(typed, locale=locale, strict=True).scaleb(get_currency_precision(currency))
    except NumberFormatError:
        return None
    return int(exact) if exact == int(exact) else None


def _reason(typed: Mapping[str, str], name: str, errors: dict[str, str], _: Words) -> str | None:
    reason = typed[name].strip()
    try:
        return _REASON.validate_python(reason) if reason else None
    except ValidationError:
        errors[name] = _("The reason must be one line of at most 200 characters.")
        return None
