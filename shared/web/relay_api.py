"""The platform's API for a subscriber that needs the past once more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import uuid4

from fastapi import Query
from starlette.requests import Request
from starlette.responses import StreamingResponse

from shared.errors import RapportError, Refused
from shared.events import registered
from shared.republish import Replay, Republishing, prepare, require_own
from shared.topics import services_of
from shared.web import guard
from shared.web.guard import may, principal
from shared.web.operations import NDJSON
from shared.web.serving import Here

router = guard.router(prefix="/api/v1")


@router.post("/relay/replay", response_class=StreamingResponse)
@may("operator")
async def replay(
    request: Request,
    here: Here,
    service: str,
    topic: str,
    first: Annotated[int, Query(alias="from", ge=1)] = 1,
    last: Annotated[int | None, Query(alias="to", ge=1)] = None,
    kafka: str | None = None,
) -> StreamingResponse:
    """Publish a service's events between two positions into a subscriber's own topic; progress and result, one a line.

    `kafka` may be named at the command line of the machine alone: whoever comes over the network cannot choose where
    events are sent.
    """
    caller = principal(request)
    if kafka is not None and caller.kind != "cli":
        raise Refused("can be named only beside the data folder", field="kafka")
    bootstrap = kafka or here.settings.kafka
    if bootstrap is None:
        raise Refused("is needed, HOST:PORT: this installation relays to none", field="kafka")
    wanted = _wanted(service, first, last, await here.log.store.position(), topic)
    standing = await prepare(bootstrap, topic)
    id_ = uuid4()
    about = {"replay": str(id_), "service": service, "from": wanted.first, "to": wanted.last, "topic": topic}
    await asyncio.to_thread(here.accounts.note, caller.actor, "events replayed", json.dumps(about))
    work = Replay(here.log.store, bootstrap, wanted, id_)

    async def lines() -> AsyncIterator[str]:
        try:
            async for position in work.run():
                done = max(position - wanted.first + 1, 0)
                step = {"what": "publishing", "done": done, "total": wanted.last - wanted.first + 1}
                yield json.dumps({"progress": step}) + "\n"
        except RapportError as error:
            said = f"{error}; {work.published} events are in {topic}, and running it again begins anew"
            yield json.dumps({"failed": said}) + "\n"
        else:
            yield json.dumps({"result": about | {"events": work.published, "anew": standing}}) + "\n"

    return StreamingResponse(lines(), media_type=NDJSON)


def _wanted(service: str, first: int, last: int | None, head: int, topic: str) -> Republishing:
    known = services_of(event.type for event in registered())
    if service not in known:
        raise Refused(f"must be one of {', '.join(known)}", field="service")
    require_own(topic)
    if last is not None and last > head:
        raise Refused(f"the log ends at {head}", field="to")
    last = head if last is None else last
    if first > last:
        raise Refused(f"must not be behind {last}, where it ends", field="from")
    return Republishing(service, first, last, topic)
