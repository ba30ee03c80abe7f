"""Reading your own writes: wait for a position, and say how old a view is."""

from __future__ import annotations

import asyncio
from datetime import datetime

from starlette.requests import Request

from shared.clock import utc_now
from shared.errors import TooFarBehind
from shared.projections import Family
from shared.service import Platform, platform
from shared.web.problems import Problem
from shared.web.shell import Fresh
from shared.web.tokens import Token, decode


async def fresh(request: Request, *families: Family, after: Token | None = None, wait: float = 5.0) -> None:
    """Wait until every family has the position of `?after=`.

    Raises:
        Problem: 409 when the token is of another store.
        TooFarBehind: when the wait is over.
    """
    if after is None:
        text = request.query_params.get("after")
        after = decode(text) if text else None
    if after is None:
        return
    here = platform(request)
    if after.store != here.log.store.id:
        raise Problem.of_field(409, "after", "is a position of another store")
    for family in families:
        await here.models.shows(family, after, wait=wait)


async def freshness(request: Request, *families: Family) -> Fresh:
    """What a page says of its age; waits for `?after=` and says so when it cannot have it."""
    behind = False
    try:
        await fresh(request, *families)
    except TooFarBehind:
        behind = True
    here = platform(request)
    position = min(await asyncio.gather(*(asyncio.to_thread(here.models.position, family) for family in families)))
    return Fresh(position=position, age_seconds=await seconds_behind(here, position), behind=behind)


async def seconds_behind(here: Platform, position: int) -> float:
    """How long the first event behind a position has been waiting; 0 at the head."""
    if position >= await here.log.store.position():
        return 0.0
    async for page in here.log.store.pages(position):
        if page.events:
            recorded = datetime.fromisoformat(page.events[0].meta.recorded_at)
            return max(0.0, (utc_now() - recorded).total_seconds())
    return 0.0
