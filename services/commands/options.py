"""Options that several commands share, and the way from them to a client."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from services.commands.client import Client, Target, connect
from services.commands.composition import Composition
from services.commands.failure import Failure

T = TypeVar("T")
DEFAULT_DATA = Path("rapport-data")
_SOURCE = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_BROKERS = re.compile(r"[^\s:,/]+:[0-9]{1,5}(,[^\s:,/]+:[0-9]{1,5})*")


def day(text: str) -> str:
    """A day as YYYY-MM-DD, checked."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise typer.BadParameter(f"{text!r} is not a day, write YYYY-MM-DD")
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a day: {error}") from None


def source_name(text: str) -> str:
    """The name of an import's source; it stands before the colon of an alias."""
    if not _SOURCE.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is not a source name: small letters, digits, '-', '.', '_'")
    return text


def currency_code(text: str) -> str:
    """A currency of ISO 4217."""
    from shared.values import currencies  # noqa: PLC0415 - the list is slow to load and rarely asked for

    if text not in currencies():
        raise typer.BadParameter(f"{text!r} is not a currency of ISO 4217, such as GBP")
    return text


def brokers(text: str) -> str:
    """Where a Kafka is."""
    if not _BROKERS.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is not HOST:PORT")
    return text


def postgres(text: str) -> str:
    """Where a PostgreSQL database is."""
    # What was given may hold a password: it is not repeated.
    if not re.match(r"postgres(ql)?://", text):
        raise typer.BadParameter("must be postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    return text


Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FOLDER",
        help="Data folder: the instance that runs in it, else the app in this process. Without it RAPPORT_URL (with "
        "RAPPORT_TOKEN) counts, then RAPPORT_DATA, then ./rapport-data.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document on stdout and nothing else.")]
Progress = Annotated[
    bool | None,
    typer.Option("--progress/--no-progress", help="Show progress on stderr.  [default: when stderr is a terminal]"),
]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", parser=day, metavar="DATE", help="Business day, inclusive.  [default: today]"),
]
Source = Annotated[
    str | None,
    typer.Option("--source", parser=source_name, metavar="NAME", help="Only the customers of this import."),
]
Currency = Annotated[
    str | None,
    typer.Option("--currency", parser=currency_code, metavar="CODE", help="Money in this currency only, e.g. GBP."),
]


def composition(ctx: typer.Context) -> Composition:
    """The parts that the program was started with."""
    found = ctx.obj
    if not isinstance(found, Composition):
        raise TypeError("the app was run without its composition")
    return found


def target(data: Path | None) -> Target:
    """Where Rapport is: what the command line names, else what the environment names, else ./rapport-data."""
    folder = data or Path(os.environ.get("RAPPORT_DATA") or DEFAULT_DATA)
    if data or not os.environ.get("RAPPORT_URL"):
        return Target(folder)
    return Target(folder, os.environ["RAPPORT_URL"], os.environ.get("RAPPORT_TOKEN"))


def reach(ctx: typer.Context, data: Path | None, work: Callable[[Client], Awaitable[T]], *, create: bool = False) -> T:
    """Runs `work` with a client to the folder or URL that the command line and the environment name.

    A folder that does not exist is an error unless `create`: a query in an empty one would answer about nothing.
    """
    place = target(data)
    if not place.url and not create and not place.data.is_dir():
        raise Failure(f"--data: there is no folder {place.data}; `rapport up` or an import creates it")

    async def run() -> T:
        async with connect(place, composition(ctx).open_app) as client:
            return await work(client)

    return asyncio.run(run())
