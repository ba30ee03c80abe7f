"""The console script `rapport`: the one place that joins the commands with the services' composition roots."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from services.commands.app import run
from services.commands.composition import Composition, Serving
from services.commands.in_process import ASGIApp

if TYPE_CHECKING:
    from shared.service import Service

# The services are imported when a command needs them: most only talk to an instance that runs, and start at once.


def services() -> list[Service]:
    """All services of an installation."""
    from services.analytics.main import SERVICE as ANALYTICS
    from services.contacts.main import SERVICE as CONTACTS
    from services.interactions.main import SERVICE as INTERACTIONS
    from services.portal.main import SERVICE as PORTAL

    return [CONTACTS, INTERACTIONS, PORTAL, ANALYTICS]


@asynccontextmanager
async def _open_app(data: Path) -> AsyncIterator[ASGIApp]:
    from shared.embedded import opened
    from shared.settings import Settings

    async with opened(services(), Settings(data=data)) as embedded:
        yield embedded.for_cli()


async def _serve(serving: Serving) -> None:
    from shared.embedded import serve
    from shared.settings import Settings

    settings = Settings(data=serving.data, port=serving.port, kafka=serving.kafka)
    await serve(services(), settings, typer.echo)


async def _create_topics(bootstrap: str) -> list[str]:
    from shared.topics import create_topics, topic

    names = [service.name for service in services()]
    await create_topics(bootstrap, names)
    return [topic(name) for name in names]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command line and ends the process with its exit code."""
    sys.exit(run(arguments, Composition(_open_app, _serve, _create_topics)))
