"""The platform's own API: events, projections, verification, who may sign in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from shared import status
from shared.envelope import Recorded, as_json
from shared.errors import UnreadableEvent
from shared.events import registered
from shared.service import Platform
from shared.values import Name
from shared.verify import verify
from shared.web import guard
from shared.web.bodies import Sent
from shared.web.freshness import fresh
from shared.web.guard import Role, may, principal
from shared.web.problems import Problem
from shared.web.serving import Here
from shared.web.tokens import After

router = guard.router(prefix="/api/v1")
probes = guard.router()
NDJSON = "application/x-ndjson"
MAX_WAIT = 60.0
VERIFIED = "verified"
"""The note of a verification: `whole` or `different`, and the position of the last event."""


class NewAccount(BaseModel):
    """A person or a script that is to be let in."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Name
    role: Role


class Account(BaseModel):
    """What was made; the secret is shown this once."""

    name: str
    role: Role
    secret: str


@router.get("/events", response_class=StreamingResponse)
@may("operator", "privacy_officer", "analyst")
async def events(
    request: Request,
    here: Here,
    after: Annotated[int, Query(ge=0)] = 0,
    subject: str | None = None,
    type: str | None = None,  # noqa: A002, the event's own word
    limit: Annotated[int | None, Query(ge=1)] = None,
    follow: bool = False,
    reveal: bool = False,
) -> StreamingResponse:
    """Events behind a position, one JSON object a line; personal fields as stored unless revealed."""
    if type is not None and type not in {event.type for event in registered()}:
        raise Problem.of_field(400, "type", f"must be one of {', '.join(event.type for event in registered())}")
    if reveal:
        require_reveal(request)
        await asyncio.to_thread(here.accounts.note, principal(request).actor, "events revealed", str(request.url.query))
    lines = _lines(here, after, subject, type, limit, follow=follow, reveal=reveal)
    return StreamingResponse(lines, media_type=NDJSON)


@router.get("/projections")
@may("operator", "analyst", "manager")
async def projections(
    request: Request, here: Here, after: After = None, wait: Annotated[float, Query(ge=0, le=MAX_WAIT)] = 5.0
) -> list[dict[str, Any]]:
    """How far every projection is; with `after`, answers once all have that position."""
    families = [generation.family for generation in here.models.generations]
    await fresh(request, *families, after=after, wait=wait)
    return await status.projections(here)


@router.post("/verify", response_class=StreamingResponse)
@may("operator")
async def run_verify(request: Request, here: Here) -> StreamingResponse:
    """Check the chain of hashes and compare every projection with a fresh fold; progress and result, one a line."""

    async def lines() -> AsyncIterator[str]:
        async for line in verify(here.log.store, here.models, here.log.codec):
            if "result" in line:
                found = f"{'whole' if line['result']['ok'] else 'different'} {line['result']['head']}"
                await asyncio.to_thread(here.accounts.note, principal(request).actor, VERIFIED, found)
            yield json.dumps(line) + "\n"

    return StreamingResponse(lines(), media_type=NDJSON)


@router.post("/staff", status_code=201)
@may("admin")
def add_staff(here: Here, new: Sent[NewAccount]) -> Account:
    """Let a member of staff in."""
    return Account(name=new.name, role=new.role, secret=here.accounts.add_staff(new.name, new.role))


@router.post("/tokens", status_code=201)
@may("admin")
def add_token(here: Here, new: Sent[NewAccount]) -> Account:
    """Let a script in."""
    return Account(name=new.name, role=new.role, secret=here.accounts.add_token(new.name, new.role))


@probes.get("/livez", status_code=204)
@router.get("/livez", status_code=204)
@may("anyone")
async def alive() -> Response:
    """The process answers."""
    return Response(status_code=204)


@probes.get("/readyz", status_code=204)
@router.get("/readyz", status_code=204)
@may("anyone")
async def ready(here: Here) -> Response:
    """204 when everything that this process needs is there and keeps up; 503 names what is not."""
    problems = here.health.problems()
    if problems:
        said = "; ".join(f"{name} {wrong}" for name, wrong in problems.items())
        raise Problem(503, detail=said, extra={"problems": problems})
    return Response(status_code=204)


def require_reveal(request: Request) -> None:
    """Refuse whoever may not see personal fields."""
    if principal(request).role not in {"privacy_officer", "admin"}:
        raise Problem(403, detail="Revealing personal fields needs the role privacy_officer or admin.")


async def _lines(
    here: Platform,
    after: int,
    subject: str | None,
    type_: str | None,
    limit: int | None,
    *,
    follow: bool,
    reveal: bool,
) -> AsyncIterator[str]:
    types = None if type_ is None else [type_]
    pages = here.log.store.follow(after, types=types) if follow else here.log.store.pages(after, types=types)
    left = limit
    async for page in pages:
        for event in page.events:
            if subject is not None and event.subject != subject:
                continue
            yield json.dumps(as_json(event, _data(here, event, reveal=reveal)), ensure_ascii=False) + "\n"
            if left is not None:
                left -= 1
                if left == 0:
                    return


def _data(here: Platform, event: Recorded, *, reveal: bool) -> Any:
    if not reveal:
        return json.loads(event.data)
    try:
        return here.log.codec.revealed(event)
    except UnreadableEvent:
        return json.loads(event.data)
