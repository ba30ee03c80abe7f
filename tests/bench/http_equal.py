"""The product's side of D1 and D2: its command route, its strict body and its store, doing what the peer's server does.

One event a command, validated by Pydantic and durable when it is answered; the store's hash chain and the command id
are on, for they cannot be left out. What the peer has not is left out: sign-in and its headers, the search for an
earlier answer, sealing under a key of the person. D1 "everything on" has all of it.
"""

import argparse
import json
import signal
import socket
from pathlib import Path
from typing import Literal
from uuid import UUID, uuid4

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from shared import memory, serving
from shared.clock import stamp, utc_now
from shared.envelope import NO_STREAM, Draft, Metadata, pack
from shared.sqlite_store import SqliteStore
from shared.web.bodies import Sent
from shared.web.command_route import CommandPaths, router
from shared.web.commands import Asked
from shared.web.guard import as_cli, may


class NewInteraction(BaseModel):
    """The body of the command, as the peer has it."""

    model_config = ConfigDict(extra="forbid")
    customer_id: UUID
    kind: Literal["visit", "phone_call", "letter", "email"]
    direction: Literal["inbound", "outbound"]
    summary: str = Field(min_length=1, max_length=10_000)


class Accepted(BaseModel):
    """The answer, as the peer has it."""

    id: UUID
    version: int


def served(store: SqliteStore) -> FastAPI:
    """The app with its one command."""
    commands = router()

    @commands.post("/api/interactions", status_code=201)
    @may("anyone")
    async def record(body: Sent[NewInteraction], context: Asked) -> Accepted:
        id_, now = uuid4(), stamp(utc_now())
        command = str(context.command_id)
        metadata = Metadata(f"customer-{body.customer_id}", context.actor, command, "", now, now, command)
        data = body.model_dump_json().encode()
        draft = Draft(uuid4().bytes, "crm.bench.InteractionRecorded", 1, metadata.subject, data, pack(metadata))
        (event,) = await store.append(f"interaction-{id_}", NO_STREAM, [draft])
        return Accepted(id=id_, version=event.version)

    app = FastAPI()
    app.include_router(commands)
    return app


async def serve(folder: Path) -> None:
    """Serve until SIGTERM, then say how many events there are."""
    store = SqliteStore(folder / "events.db")
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    ready = {"port": listener.getsockname()[1], "path": "/api/interactions", "headers": {}}
    print(json.dumps(ready), flush=True)
    app = as_cli(CommandPaths(served(store)), "bench")
    config = uvicorn.Config(app, http="httptools", lifespan="off", log_level="warning", access_log=False)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # uvicorn raises it once more when it has shut down
    memory.collect_rarely()
    await uvicorn.Server(config).serve([listener])
    print(json.dumps({"events": await store.position()}), flush=True)
    await store.close()


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    serving.run(serve(parser.parse_args().folder))


if __name__ == "__main__":
    main()
