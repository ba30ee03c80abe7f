"""The console script `rapport`: the one place that joins the commands with the services' composition roots."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from services.commands.app import run
from services.commands.composition import Composition, Keeping, Moving, Serving
from services.commands.in_process import ASGIApp

if TYPE_CHECKING:
    from shared.service import Service
    from shared.serving import Running
    from shared.settings import Settings

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
    from shared.memory import collect_rarely

    async with opened(services(), _settings(data=data)) as running:
        collect_rarely()
        yield running.for_cli()


def _serve(serving: Serving) -> None:
    from shared.embedded import opened
    from shared.serving import run

    settings = _settings(data=serving.data, port=serving.port, kafka=serving.kafka)
    run(_served(opened(services(), settings)))


def _serve_service(name: str, port: int | None) -> None:
    from shared.deployed import Incomplete, opened
    from shared.serving import run

    every = services()
    service = next((service for service in every if service.name == name), None)
    if service is None:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(each.name for each in every)}", param_hint="SERVICE")
    try:
        run(_served(opened(service, every, _settings(**({} if port is None else {"port": port})))))
    except Incomplete as error:
        raise typer.BadParameter(str(error)) from None


async def _served(opening: AbstractAsyncContextManager[Running]) -> None:
    from shared.serving import serve

    async with opening as running:
        await serve(running, typer.echo)


def _settings(**given: Any) -> Settings:
    from pydantic import ValidationError

    from shared.settings import Settings

    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        named = f"RAPPORT_{'_'.join(map(str, first['loc'])).upper()}"
        raise typer.BadParameter(first["msg"].removeprefix("Value error, "), param_hint=named) from None


async def _create_topics(bootstrap: str) -> list[str]:
    from shared.topics import create_topics, topic

    names = [service.name for service in services()]
    prefix = _settings().topic_prefix
    await create_topics(bootstrap, names, prefix=prefix)
    return [topic(name, prefix) for name in names]


def _upgrade_database(database: str, keyring: str) -> tuple[str, str] | None:
    from shared import migrations, postgres
    from shared.accounts import Accounts

    migrations.upgrade(database, keyring)
    with postgres.answering(), closing(Accounts(postgres.engine(database))) as accounts:
        return accounts.first_run()


async def _migrate(moving: Moving) -> AsyncGenerator[dict[str, Any], None]:
    from shared.moving.move import move

    settings = _settings(**asdict(moving))
    async with aclosing(move(services(), settings)) as reports:
        async for report in reports:
            yield report


async def _backup(keeping: Keeping) -> AsyncGenerator[dict[str, Any], None]:
    from shared.backups.backup import backup

    async with aclosing(backup(keeping.data, keeping.folder, keeping.keys)) as reports:
        async for report in reports:
            yield report


async def _restore(keeping: Keeping) -> AsyncGenerator[dict[str, Any], None]:
    from shared.backups.restore import restore

    async with aclosing(restore(services(), keeping.folder, keeping.data, keeping.keys)) as reports:
        async for report in reports:
            yield report


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command line and ends the process with its exit code."""
    sys.exit(
        run(
            arguments,
            Composition(
                _open_app, _serve, _serve_service, _create_topics, _upgrade_database, _migrate, _backup, _restore
            ),
        )
    )
