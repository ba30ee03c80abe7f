"""Naming: what customers are called, for the lists of other services to fetch."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query
from starlette.requests import Request
from starlette.responses import HTMLResponse

from services.contacts import directory, lookup
from shared.errors import Refused
from shared.web import guard
from shared.web.guard import may
from shared.web.serving import Frame, read

router = guard.router(include_in_schema=False)
MOST: Final = 200


@router.get("/fragments/names")
@may("signed_in")
async def names(request: Request, frame: Frame, ids: Annotated[str, Query(max_length=8_000)] = "") -> HTMLResponse:
    """Names for the links that are marked with `data-name`, swapped in by the ids."""
    customers = _customers(ids)
    found = await read(request, directory.family, lambda db: lookup.named(db, customers))
    return frame.fragment(request, "contacts/names.html", customers=found)


def _customers(ids: str) -> Collection[UUID]:
    try:
        found = {UUID(id_) for id_ in ids.split(",") if id_}
    except ValueError:
        raise Refused("must be ids of customers, separated by commas", field="ids") from None
    if len(found) > MOST:
        raise Refused(f"must be at most {MOST} ids", field="ids")
    return found
