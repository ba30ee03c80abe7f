"""The peer of D1 and D2: FastAPI and eventsourcing on SQLite, the way both document it.

An aggregate with one event a command, validated by Pydantic, saved by an application from a synchronous endpoint in the
thread pool; durable when it is answered (eventsourcing commits each save, SQLite syncs each commit). No sign-in, no
idempotency, no hashes, no encryption. GC as Python has it by default.
"""

import argparse
import json
import os
import signal
import socket
from pathlib import Path
from typing import Literal
from uuid import UUID

import uvicorn
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field


class Interaction(Aggregate):
    """One contact with a customer."""

    @event("Recorded")
    def __init__(self, customer_id: UUID, kind: str, direction: str, summary: str) -> None:
        self.customer_id = customer_id
        self.kind = kind
        self.direction = direction
        self.summary = summary


class NewInteraction(BaseModel):
    """The body of the command."""

    model_config = ConfigDict(extra="forbid")
    customer_id: UUID
    kind: Literal["visit", "phone_call", "letter", "email"]
    direction: Literal["inbound", "outbound"]
    summary: str = Field(min_length=1, max_length=10_000)


class Accepted(BaseModel):
    """The answer."""

    id: UUID
    version: int


def served(interactions: Application) -> FastAPI:
    """The app with its one command."""
    app = FastAPI()

    @app.post("/interactions", status_code=201)
    def record(body: NewInteraction) -> Accepted:
        made = Interaction(body.customer_id, body.kind, body.direction, body.summary)
        interactions.save(made)
        return Accepted(id=made.id, version=made.version)

    return app


def main() -> None:
    """Serve until SIGTERM, then say how many events there are."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    folder = parser.parse_args().folder
    os.environ["PERSISTENCE_MODULE"] = "eventsourcing.sqlite"
    os.environ["SQLITE_DBNAME"] = str(folder / "events.db")
    interactions = Application()
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(json.dumps({"port": listener.getsockname()[1], "path": "/interactions", "headers": {}}), flush=True)
    config = uvicorn.Config(
        served(interactions), http="httptools", loop="uvloop", log_level="warning", access_log=False
    )
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # uvicorn raises it once more when it has shut down
    uvicorn.Server(config).run([listener])
    print(json.dumps({"events": interactions.recorder.max_notification_id()}), flush=True)
    interactions.close()


if __name__ == "__main__":
    main()
