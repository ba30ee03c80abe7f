"""Replaying over HTTP: which generations there are, how far they are, and what an operator does with them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import sqlalchemy as sa
from fastapi import Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import StreamingResponse

from shared import status
from shared.comparing import Found
from shared.errors import RapportError, Refused
from shared.past import position_at
from shared.projections.catalog import DISPOSABLE, Entry, Status, Wish
from shared.replays import Replays
from shared.service import Platform
from shared.web import guard
from shared.web.bodies import Sent
from shared.web.guard import may, principal
from shared.web.serving import Here

router = guard.router(prefix="/api/v1/replays")
_NDJSON: Final = "application/x-ndjson"
MEANT: Final = {
    "pause": (Status.BUILDING, Status.AS_OF),
    "resume": (Status.PAUSED, Status.FAILED),
    "drop": DISPOSABLE,
    "compare": (Status.BUILDING,),
    "swap": (Status.BUILDING,),
    "rollback": (Status.RETIRED,),
}
"""Which generations a word may be meant for, if it names none."""
Reason = Annotated[str, Field(min_length=1, max_length=500)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Start(_Body):
    """What is to be built: all of history, or `after` a position or instant and `until` another, and why."""

    reason: Reason
    after: int | AwareDatetime = 0
    until: int | AwareDatetime | None = None
    origin: Literal["store", "kafka"] = "store"
    processes: int = Field(default=0, ge=0, le=64)


class Act(_Body):
    """Which generation is meant, if not the newest that can be, and why."""

    generation: int | None = None
    reason: str = Field(default="", max_length=500)


@router.get("")
@may("operator", "analyst", "manager")
async def listed(here: Here) -> list[dict[str, Any]]:
    """Every generation, and how far it is."""
    return await status.generations(here)


@router.get("/{family}")
@may("operator", "analyst", "manager")
async def of_family(family: str, here: Here) -> list[dict[str, Any]]:
    """The generations of one family, with the rows of their tables."""
    name = replays_of(here).family(family).name
    entries = await asyncio.to_thread(here.models.entries)
    return [await status.generation(here, entry, counted=True) for entry in entries if entry.family == name]


@router.post("/{family}/start", status_code=201)
@may("operator")
async def start(family: str, request: Request, here: Here, body: Sent[Start]) -> dict[str, Any]:
    """Build a generation beside the one that is read."""
    replays = replays_of(here)
    after, until = [await _position(here, moment) for moment in (body.after, body.until)]
    caller = principal(request).actor
    wish = Wish(after or 0, until, body.origin, body.processes, caller, body.reason)
    entry = await replays.start(replays.family(family), wish)
    await note(request, here, "replay start", entry, body.reason)
    return await status.generation(here, entry)


@router.post("/{family}/{act}")
@may("operator")
async def act(
    family: str, act: Literal["pause", "resume", "drop", "rollback"], request: Request, here: Here, body: Sent[Act]
) -> dict[str, Any]:
    """Pause, resume or drop a generation, or go back to one that was read before."""
    replays = replays_of(here)
    of = replays.family(family)
    entry = await replays.entry(of, body.generation, MEANT[act], act)
    if act == "rollback":
        await replays.swap(of, entry, among=(Status.RETIRED,))
    else:
        await {"pause": replays.pause, "resume": replays.resume, "drop": replays.drop}[act](entry)
    await note(request, here, f"replay {act}", entry, body.reason)
    return await status.generation(here, await replays.again(entry))


@router.post("/{family}/compare/{generation}", response_class=StreamingResponse)
@may("operator", "analyst")
async def compare(
    family: str, generation: int, here: Here, limit: Annotated[int, Query(ge=0, le=1_000)] = 10
) -> StreamingResponse:
    """Compare a generation (0: the newest) with the one that is read; progress and result, one a line."""
    replays = replays_of(here)
    of = replays.family(family)
    entry = await replays.entry(of, generation or None, MEANT["compare"], "compare")

    async def lines() -> AsyncIterator[dict[str, Any]]:
        async for line in replays.compare(of, entry, limit):
            yield {"result": line.as_json() | _which(entry)} if isinstance(line, Found) else line

    return _streamed(lines())


@router.post("/{family}/swap/{generation}", response_class=StreamingResponse)
@may("operator")
async def swap(
    family: str,
    generation: int,
    request: Request,
    here: Here,
    reason: Annotated[str, Query(max_length=500)] = "",
    accept: Annotated[str | None, Query(min_length=1, max_length=500)] = None,
) -> StreamingResponse:
    """Compare a generation (0: the newest) with the one that is read, and have it read unless they differ.

    `accept` says why the differences are right, and has it read nevertheless.
    """
    replays = replays_of(here)
    of = replays.family(family)
    entry = await replays.entry(of, generation or None, MEANT["swap"], "swap")

    async def lines() -> AsyncIterator[dict[str, Any]]:
        async for line in replays.compare(of, entry, 10):
            if not isinstance(line, Found):
                yield line
                continue
            result = line.as_json() | _which(entry)
            if not line.equal and accept is None:
                yield {"result": result | {"swapped": False}}
                return
            seconds = await replays.swap(of, entry, among=(Status.BUILDING,))
            why = reason if line.equal else f"{reason} differences accepted: {accept}".strip()
            await note(request, here, "replay swap", entry, why)
            yield {"result": result | {"swapped": True, "held_seconds": round(seconds, 6)}}

    return _streamed(lines())


@router.post("/{family}/subjects/{subject}")
@may("operator")
async def refold(family: str, subject: str, request: Request, here: Here, body: Sent[Act]) -> dict[str, Any]:
    """Make the rows about one subject anew in the generation that is read; tables about nobody are left as they are."""
    replays = replays_of(here)
    of = replays.family(family)
    events = await replays.refold(of, subject)
    entry = await replays.entry(of, None, (Status.ACTIVE,), "make anew")
    await note(request, here, f"replay of {subject}", entry, body.reason)
    return _which(entry) | {"subject": subject, "events": events, "untouched": of.about_nobody}


@router.get("/{family}/{generation}/{table}")
@may("operator", "analyst")
async def rows(
    family: str,
    generation: int,
    table: str,
    here: Here,
    key: str | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
) -> dict[str, Any]:
    """The rows of one table in one generation, also one that is never read; `key` is the first column's value."""
    replays = replays_of(here)
    of = replays.family(family)
    entry = await replays.entry(of, generation, (), "show")
    found = next((each for each in of.tables if each.name == table), None)
    if found is None:
        raise Refused(f"must be one of {', '.join(each.name for each in of.tables)}", field="table", kind="missing")
    columns = list(found.c.columns.values())
    query = sa.select(*columns).order_by(columns[0]).limit(limit)
    if key is not None:
        query = query.where(columns[0] == (int(key) if isinstance(columns[0].type, sa.Integer) else key))

    def ask() -> dict[str, Any]:
        with here.models.open(entry).read() as snapshot:
            shown = [dict(row) for row in snapshot.execute(query).mappings()]
            return {"position": snapshot.position, "rows": shown}

    return _which(entry) | {"table": table} | await asyncio.to_thread(ask)


def replays_of(here: Platform) -> Replays:
    """The operator's hand on the generations of an installation."""
    return Replays(here.log.store, here.models, here.feeding)


def _which(entry: Entry) -> dict[str, Any]:
    return {"family": entry.family, "version": entry.version, "generation": entry.generation}


async def _position(here: Platform, moment: int | datetime | None) -> int | None:
    return await position_at(here.log.store, moment) if isinstance(moment, datetime) else moment


async def note(request: Request, here: Platform, action: str, entry: Entry, reason: str) -> None:
    """Keep who did what to a generation, and why."""
    detail = f"{entry.family} version {entry.version} generation {entry.generation}: {reason}"
    await asyncio.to_thread(here.accounts.note, principal(request).actor, action, detail)


def _streamed(lines: AsyncIterator[dict[str, Any]]) -> StreamingResponse:
    async def text() -> AsyncIterator[str]:
        try:
            async for line in lines:
                yield json.dumps(line, default=str) + "\n"
        except RapportError as error:  # the status was sent long ago
            yield json.dumps({"error": str(error)}) + "\n"

    return StreamingResponse(text(), media_type=_NDJSON)
