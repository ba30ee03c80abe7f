"""`rapport migrate`: a folder becomes a deployment."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any

import typer

from services.commands.composition import Moving
from services.commands.failure import CHECK_FAILED, Failure
from services.commands.options import Data, Json, Progress, brokers, composition, postgres, target
from services.commands.output import print_facts, print_json, print_line
from services.commands.progress import Report, followed, reporting
from shared.errors import CannotMove

_UNITS = dict.fromkeys(("checking", "copying", "comparing"), "events")


def _event_store(text: str) -> str:
    # What was given may hold a password: it is not repeated.
    if not re.match(r"(esdb|kurrentdb)(\+discover)?://[^/?]", text):
        raise typer.BadParameter("must be esdb://HOST:PORT?Tls=false, or kurrentdb://…")
    return text


def migrate(
    ctx: typer.Context,
    to: Annotated[
        str,
        typer.Option("--to", parser=_event_store, metavar="URI", help="The event store, esdb://HOST:2113?Tls=false."),
    ],
    kafka: Annotated[
        str | None,
        typer.Option(
            "--kafka",
            envvar="RAPPORT_KAFKA",
            parser=brokers,
            metavar="HOST:PORT",
            help="The Kafka of the deployment: relays go on there where the folder's ended.",
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            envvar="RAPPORT_DATABASE",
            parser=postgres,
            metavar="URL",
            help="PostgreSQL for accounts, and for read models where --kafka and --keyring are given too.",
        ),
    ] = None,
    keyring: Annotated[
        str | None,
        typer.Option(
            "--keyring",
            envvar="RAPPORT_KEYRING",
            parser=postgres,
            metavar="URL",
            help="PostgreSQL for the subjects' keys.",
        ),
    ] = None,
    data: Data = None,
    as_json: Json = False,
    progress: Progress = None,
) -> None:
    """Copy a data folder into an event store server, every event byte for byte, and prove that both are equal.

    Nothing may run in the folder. It stays as it is; a run that was stopped goes on where it was. Ends with exit
    code 1 when what was read back differs, 2 when the server holds something else.
    """
    moving = Moving(_folder(data), to, kafka, database, keyring)
    with reporting(progress) as report:
        try:
            result = asyncio.run(_moved(composition(ctx).migrate(moving), report))
        except CannotMove as error:
            raise Failure(str(error)) from None
    if as_json:
        print_json(result)
    else:
        _print(result)
    if not result["ok"]:
        raise Failure(f"the event store differs from the folder: {result['difference']}", CHECK_FAILED)


def _folder(data: Path | None) -> Path:
    place = target(data)
    if place.url:
        raise Failure("--data: migrate reads a folder, not RAPPORT_URL: name the folder")
    if not place.data.is_dir():
        raise Failure(f"--data: there is no folder {place.data}")
    return place.data


async def _moved(reports: AsyncGenerator[dict[str, Any], None], report: Report) -> dict[str, Any]:
    async with aclosing(reports):
        return await followed(reports, report, "the move", _UNITS)


def _print(result: dict[str, Any]) -> None:
    facts = {name: result[name] for name in ("events", "streams", "head", "checksum", "copied", "keys", "accounts")}
    print_facts("Moved", facts)
    for service, position in result["relays"].items():
        print_line(f"The relay of {service} goes on behind position {position}.")
    if result["kept"]:
        print_line(f"Kept as they were there, with their own passwords or secrets: {', '.join(result['kept'])}.")
    if not result["ok"]:
        return
    for what in result["left"]:
        print_line(f"Not moved, and needed before a service starts: {what}.", "yellow")
    if not result["read_models"]:
        print_line("Read models were not built; the services build them when they start.")
    print_line("The event store holds what the folder holds, byte for byte.", "green")
