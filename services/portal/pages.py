"""The lists of the portal: orders, the catalogue, and the last orders of a customer for the customer's card."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from services.portal import catalogue, earlier, orders, totals
from services.portal.orders import Status
from shared.past import NOW
from shared.projections import Snapshot
from shared.values import Name
from shared.web import guard
from shared.web.cursors import Cursor, Place, encode
from shared.web.freshness import freshness
from shared.web.guard import may
from shared.web.i18n import N_
from shared.web.past import AskedPast
from shared.web.serving import Frame, Here, ask, read

router = guard.router(include_in_schema=False)
LAST_ORDERS: Final = 5
_ORDERS: Final = "/portal/orders"
_PRODUCTS: Final = "/portal/products"
_STATUSES: Final[tuple[tuple[Status | None, str], ...]] = (
    (None, N_("All")),
    ("placed", N_("Placed")),
    ("partly_refunded", N_("Partly refunded")),
    ("refunded", N_("Refunded")),
    ("cancelled", N_("Cancelled")),
)
_OFFERS: Final[tuple[tuple[bool | None, str], ...]] = (
    (None, N_("All")),
    (True, N_("Offered")),
    (False, N_("No longer offered")),
)


@router.get("/")
@may("signed_in")
async def home() -> RedirectResponse:
    """Where the portal starts."""
    return RedirectResponse(_ORDERS, status_code=303)


@router.get("/orders")
@may("signed_in")
async def order_list(
    request: Request,
    here: Here,
    frame: Frame,
    cursor: Cursor,
    customer: UUID | None = None,
    status: Status | None = None,
    number: str = "",
) -> HTMLResponse:
    """Orders, newest first, by customer, status or number."""
    _ = frame.gettext(request)
    fresh = await freshness(request, orders.family)
    wanted = number.strip()
    rows, place = await ask(
        here,
        orders.family,
        lambda db: orders.listed(db, customer_id=customer, status=status, number=wanted or None, behind=cursor),
    )
    filters = {"customer": customer, "status": status, "number": wanted or None}
    return frame.page(
        request,
        "portal/orders.html",
        orders=rows,
        chips=[
            (_(label), _address(_ORDERS, filters | {"status": value}), value == status, None)
            for value, label in _STATUSES
        ],
        customer=customer,
        number=wanted,
        filtered=any(value is not None for value in filters.values()),
        **_ways(_ORDERS, filters, cursor, place),
        fresh=fresh,
    )


@router.get("/products")
@may("signed_in")
async def product_list(
    request: Request,
    here: Here,
    frame: Frame,
    cursor: Cursor,
    offered: bool | None = None,
    category: Name | None = None,
) -> HTMLResponse:
    """Products by code, offered or no longer, of all categories or one."""
    _ = frame.gettext(request)
    fresh = await freshness(request, catalogue.family)
    rows, place = await ask(
        here, catalogue.family, lambda db: catalogue.listed(db, offered=offered, category=category, behind=cursor)
    )
    filters = {"offered": offered, "category": category}
    return frame.page(
        request,
        "portal/products.html",
        products=rows,
        chips=[
            (_(label), _address(_PRODUCTS, filters | {"offered": value}), value is offered, None)
            for value, label in _OFFERS
        ],
        category=category,
        every=_address(_PRODUCTS, filters | {"category": None}),
        **_ways(_PRODUCTS, filters, cursor, place),
        fresh=fresh,
    )


@router.get("/fragments/customers/{customer_id}/orders")
@may("signed_in")
async def last_orders(request: Request, customer_id: UUID, here: Here, frame: Frame, past: AskedPast) -> HTMLResponse:
    """A customer's last orders and totals, for the card that contacts shows; in the past without the totals."""

    def question(db: Snapshot) -> dict[str, Any]:
        if past != NOW:
            return {"orders": earlier.last(db, customer_id, past, here.log.timezone, LAST_ORDERS), "totals": []}
        rows, _ = orders.listed(db, customer_id=customer_id, limit=LAST_ORDERS)
        return {"orders": rows, "totals": totals.of_customer(db, customer_id)}

    found = await read(request, orders.family, question)
    return frame.fragment(request, "portal/customer_orders.html", customer_id=customer_id, past=past != NOW, **found)


def _ways(path: str, filters: dict[str, Any], cursor: Place | None, place: Place | None) -> dict[str, Any]:
    """The addresses of the first and the next page; None when this is the first or the last."""
    return {
        "first": _address(path, filters) if cursor else None,
        "next": _address(path, filters | {"cursor": encode(place)}) if place else None,
    }


def _address(path: str, query: dict[str, Any]) -> str:
    said = {name: str(value) for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(said)}" if said else path
