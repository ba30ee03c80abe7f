"""The page of one order: its lines, its history, and the forms that refund or cancel it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Final, Literal
from uuid import UUID

from babel.numbers import get_currency_precision
from fastapi import Form as Field
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.portal import credit_notes, forms, orders
from services.portal.changing import answers, edit
from services.portal.forms import Form, new_key
from services.portal.order import CancelOrder, RefundOrder, order
from services.portal.orders import OrderDetail
from shared.errors import Refused, Reused, Stale
from shared.service import Platform
from shared.web import guard
from shared.web.commands import context_of
from shared.web.formats import Formats
from shared.web.freshness import freshness
from shared.web.guard import may
from shared.web.serving import Frame, Here, ask
from shared.web.shell import Shell

router = guard.router(include_in_schema=False)
CHANGERS: Final = frozenset({"specialist", "manager", "admin"})
Act = Literal["refund", "cancel"]
Typed = Annotated[str, Field()]
_NONE_FILLED: Final[Mapping[Act, Form]] = {}


@router.get("/orders/{order_id}")
@may("signed_in")
async def show(order_id: UUID, request: Request, here: Here, frame: Frame) -> HTMLResponse:
    """One order."""
    return await _page(request, here, frame, order_id)


@router.post("/orders/{order_id}/refund")
@may("specialist", "manager")
async def refund(
    order_id: UUID,
    request: Request,
    here: Here,
    frame: Frame,
    key: Typed,
    version: Annotated[int, Field()],
    amount: Typed = "",
    refund_reason: Typed = "",
) -> Response:
    """Refund what the form says, or show it again with what to put right."""
    form = Form(key, {"amount": amount, "refund_reason": refund_reason})
    shown = await _found(here, order_id)
    command = forms.refund(form.typed, shown, frame.formats(request), frame.gettext(request))
    return await _change(request, here, frame, shown, "refund", command, form, version)


@router.post("/orders/{order_id}/cancel")
@may("specialist", "manager")
async def cancel(
    order_id: UUID,
    request: Request,
    here: Here,
    frame: Frame,
    key: Typed,
    version: Annotated[int, Field()],
    confirmation: Typed = "",
    cancel_reason: Typed = "",
) -> Response:
    """Cancel the order, or show the form again with what to put right."""
    form = Form(key, {"confirmation": confirmation, "cancel_reason": cancel_reason})
    shown = await _found(here, order_id)
    command = forms.cancel(form.typed, shown, frame.gettext(request))
    return await _change(request, here, frame, shown, "cancel", command, form, version)


async def _change(
    request: Request,
    here: Platform,
    frame: Shell,
    shown: OrderDetail,
    act: Act,
    command: RefundOrder | CancelOrder | dict[str, str],
    form: Form,
    version: int,
) -> Response:
    """Do what the form says; whatever is refused comes back with what was typed."""
    _ = frame.gettext(request)
    if isinstance(command, dict):
        return await _page(request, here, frame, shown.id, 422, filled={act: replace(form, errors=command)})
    context = context_of(request, form.key, f"/portal/api/v1/orders/{shown.id}/{act}")
    try:
        outcome = await edit(here.log, order, shown.id, command, context, version)
    except Reused:
        status, form = 422, replace(form, key=new_key())
        trouble = _("This form was sent before with other content. Look at the history before you send it again.")
    except Stale:
        status = 412
        trouble = _("The order has changed since you saw it. It is shown as it stands now; send the form again.")
    except Refused as refusal:
        status = 409
        trouble = _("This order is cancelled.") if refusal.kind == "conflict" else refusal.message
    else:
        return RedirectResponse(f"/portal/orders/{shown.id}?after={answers(here).token(outcome)}", 303)
    return await _page(request, here, frame, shown.id, status, trouble=trouble, filled={act: form})


async def _page(
    request: Request,
    here: Platform,
    frame: Shell,
    order_id: UUID,
    status_code: int = 200,
    *,
    trouble: str | None = None,
    filled: Mapping[Act, Form] = _NONE_FILLED,
) -> HTMLResponse:
    fresh = await freshness(request, orders.family)
    shown = await _found(here, order_id)
    return frame.page(
        request,
        "portal/order.html",
        status_code=status_code,
        order=shown,
        credit_notes=await ask(here, orders.family, lambda db: credit_notes.of_order(db, order_id)),
        unit_prices=_unit_prices(shown, frame.formats(request)),
        may_change=guard.principal(request).role in CHANGERS and shown.status != "cancelled",
        trouble=trouble,
        refund=filled.get("refund") or Form(),
        cancel=filled.get("cancel") or Form(),
        fresh=fresh,
    )


async def _found(here: Platform, order_id: UUID) -> OrderDetail:
    found = await ask(here, orders.family, lambda db: orders.found(db, order_id))
    if found is None:
        raise Refused("no such order", kind="missing")
    return found


def _unit_prices(shown: OrderDetail, formats: Formats) -> dict[int, str]:
    """Unit prices as people read them, by the ordinal of the line; a price may have more decimals than money."""
    prices = {line.ordinal: Decimal(line.unit_price) if line.unit_price else None for line in shown.lines}
    least = get_currency_precision(shown.currency)
    return {
        ordinal: formats.number(price, None if price is None else max(least, -int(price.as_tuple().exponent)))
        for ordinal, price in prices.items()
    }
