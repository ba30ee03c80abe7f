"""The console script `rapport`: the only module that joins the commands with the services' composition roots."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from services.commands.app import run
from services.commands.composition import Composition, Serving
from services.commands.in_process import ASGIApp


# Imported when needed: most commands only talk to an instance that runs, and should start at once.
@asynccontextmanager
async def _open_app(data: Path) -> AsyncIterator[ASGIApp]:
    from services import embedded

    async with embedded.open_app(embedded.Settings(data=data)) as app:
        yield app


async def _serve(serving: Serving) -> None:
    from services import embedded

    await embedded.serve(embedded.Settings(data=serving.data, port=serving.port, kafka=serving.kafka))


async def _create_topics(bootstrap: str) -> list[str]:
    from services import embedded

    return await embedded.create_topics(bootstrap)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command line and ends the process with its exit code."""
    sys.exit(run(arguments, Composition(_open_app, _serve, _create_topics)))
