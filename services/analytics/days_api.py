"""The days that were closed, over HTTP: what the last closes said, and when."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import Query, Request
from pydantic import BaseModel, Field

from services.analytics.events import CurrencyClosed
from services.analytics.registry import closes
from services.analytics.standing import family
from shared.clock import date_of
from shared.web import guard
from shared.web.guard import may
from shared.web.serving import read

router = guard.router(prefix="/api/v1", tags=["analytics"])

_MOST = 400


class ClosedDay(BaseModel):
    """A business day that was closed, and what that said."""

    day: date
    recorded_at: str = Field(description="When it was closed.")
    head: int = Field(description="The position of the log up to which everything was known to it.")
    events: dict[str, int] = Field(description="How many events of each type it published.")
    currencies: list[CurrencyClosed] = Field(description="The population of each currency at the end of the day.")


@router.get("/days")
@may("analyst", "manager", "operator")
async def days(
    request: Request, limit: Annotated[int, Query(ge=1, le=_MOST, description="How many, from the newest.")] = 35
) -> list[ClosedDay]:
    """List the days that were closed, newest first: who stood in which segment, and by which models."""
    found = await read(request, family, lambda db: closes(db, limit))
    return [
        ClosedDay(
            day=date_of(close.day),
            recorded_at=recorded_at,
            head=close.head,
            events=close.events,
            currencies=list(close.currencies),
        )
        for close, recorded_at in found
    ]
