"""Tracing over HTTP: what each event of a subject changed in a read model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import StreamingResponse

from shared.codec import Masked
from shared.envelope import as_json
from shared.tracing import Step, steps
from shared.web import guard
from shared.web.guard import may, principal
from shared.web.operations import NDJSON, require_reveal
from shared.web.replays_api import replays_of
from shared.web.serving import Here

router = guard.router(prefix="/api/v1")


@router.get("/trace/{projection}", response_class=StreamingResponse)
@may("operator", "privacy_officer")
async def trace(projection: str, subject: str, request: Request, here: Here, reveal: bool = False) -> StreamingResponse:
    """The rows of a family or of one of its tables before and after each event of a subject, an event a line."""
    replays = replays_of(here)
    family = replays.family(projection)
    if reveal:
        require_reveal(request)
        await asyncio.to_thread(here.accounts.note, principal(request).actor, "events revealed", f"trace of {subject}")
    events = await replays.about(family, subject, 0)
    table = None if projection == family.name else projection
    codec = here.log.codec if reveal else Masked()

    def traced() -> Iterator[str]:
        for step in steps(family, events, codec):
            yield json.dumps(_shown(step, table), default=str) + "\n"

    return StreamingResponse(traced(), media_type=NDJSON)


def _shown(step: Step, table: str | None) -> dict[str, Any]:
    """A step in the shape of `rapport trace --json`."""
    changes = [change for change in step.changes if table is None or change.table == table]
    return {
        "event": as_json(step.event, json.loads(step.event.data)),
        "changes": [vars(change) for change in changes],
        "error": step.error,
    }
