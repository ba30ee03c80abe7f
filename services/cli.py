"""The console script `rapport`: the only module that joins the commands with the services' composition roots."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from services.commands.app import run
from services.commands.composition import Composition, Serving
from services.commands.in_process import ASGIApp
from services.commands.output import print_line

if TYPE_CHECKING:
    from shared.service import Service


# Imported when needed: most commands only talk to an instance that runs, and should start at once.
def services() -> tuple[Service, ...]:
    """The four services."""
    from services.analytics.main import SERVICE as ANALYTICS
    from services.contacts.main import SERVICE as CONTACTS
    from services.interactions.main import SERVICE as INTERACTIONS
    from services.portal.main import SERVICE as PORTAL

    return CONTACTS, INTERACTIONS, PORTAL, ANALYTICS


@asynccontextmanager
async def _open_app(data: Path) -> AsyncIterator[ASGIApp]:
    from shared import embedded
    from shared.settings import Settings

    async with embedded.opened(services(), Settings(data=data)) as running:
        yield running.for_cli()


async def _serve(serving: Serving) -> None:
    from shared import embedded
    from shared.settings import Settings

    settings = Settings(data=serving.data, port=serving.port, kafka=serving.kafka)
    await embedded.serve(services(), settings, print_line)


async def _create_topics(bootstrap: str) -> list[str]:
    from shared.topics import create_topics

    return await create_topics(bootstrap, [service.name for service in services()])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command line and end the process with its exit code."""
    sys.exit(run(arguments, Composition(_open_app, _serve, _create_topics)))
