"""The list of customers: who is there, whom we heard of last, and who is due."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse

from services.contacts import countries, directory, lookup, viewing
from services.contacts.lookup import KindFilter
from services.contacts.viewing import Viewed
from shared.projections import Snapshot
from shared.web import guard
from shared.web.cursors import Cursor, encode
from shared.web.freshness import freshness
from shared.web.guard import may
from shared.web.i18n import N_
from shared.web.serving import Frame, Here, ask

router = guard.router(include_in_schema=False)
CHANGERS: Final = frozenset({"specialist", "manager", "admin"})
PAGE: Final = 50
_LIST: Final = "/contacts/"
_LONGEST_SEARCH: Final = 200
_KINDS: Final[tuple[tuple[KindFilter | None, str], ...]] = (
    (None, N_("All")),
    ("individual", N_("People")),
    ("organisation", N_("Organisations")),
    ("household", N_("Households")),
    ("internal", N_("Internal")),
)


@router.get("/")
@may("signed_in")
async def customer_list(
    request: Request,
    here: Here,
    frame: Frame,
    cursor: Cursor,
    viewed: Viewed,
    q: str = "",
    kind: KindFilter | None = None,
) -> HTMLResponse:
    """Customers by name, those without one behind them; what analytics knows of them is fetched by the browser."""
    _ = frame.gettext(request)
    fresh = await freshness(request, directory.family)
    wanted = " ".join(q.split())[:_LONGEST_SEARCH]

    def question(db: Snapshot) -> dict[str, Any]:
        page = lookup.page(db, wanted, kind, cursor, PAGE)
        return {
            "customers": page.entries,
            "place": page.next,
            "total": lookup.count(db, wanted, kind),
            "counts": lookup.counts(db),
        }

    found = await ask(here, directory.family, question)
    place, counts = found.pop("place"), found["counts"]
    filters = {"q": wanted or None, "kind": kind, "as_of": request.query_params.get("as_of")}
    return frame.page(
        request,
        "contacts/customers.html",
        **found,
        chips=[
            (_(label), _address(filters | {"kind": value}), value == kind, counts.get(value or "all", 0))
            for value, label in _KINDS
        ],
        q=wanted,
        kind=kind,
        filtered=bool(wanted or kind),
        may_register=may_change(request),
        countries=countries.named(frame.formats(request).locale),
        cells=_cells(found["customers"], viewing.said(viewed)),
        day=viewed,
        today=_address(filters | {"as_of": ""}),
        first=_address(filters) if cursor else None,
        next=_address(filters | {"cursor": encode(place)}) if place else None,
        fresh=fresh,
    )


def may_change(request: Request) -> bool:
    """Whether the reader may register and edit customers."""
    return guard.principal(request).role in CHANGERS


def _cells(customers: tuple[lookup.Entry, ...], as_of: str) -> str:
    """Where the cells of these rows are fetched that analytics fills."""
    ids = ",".join(str(customer.id) for customer in customers)
    return f"/analytics/fragments/customers?{urlencode({'as_of': as_of, 'ids': ids}, safe=',')}"


def _address(query: dict[str, Any]) -> str:
    said = {name: str(value) for name, value in query.items() if value is not None}
    return f"{_LIST}?{urlencode(said)}" if said else _LIST
