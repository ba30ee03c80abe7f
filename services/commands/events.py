"""`rapport events`: the log, one event a line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, suppress
from typing import Annotated, Any

import typer

from services.commands.client import Client
from services.commands.options import Data, Json, reach
from services.commands.output import print_json, print_line

app = typer.Typer(help="Read the log of events.", no_args_is_help=True)
_PATH = "/api/v1/events"

After = Annotated[
    int | None, typer.Option("--after", min=0, metavar="POSITION", help="Only events after this position.")
]
Subject = Annotated[
    str | None, typer.Option("--subject", metavar="ID", help="Only events about this subject, e.g. customer-<uuid>.")
]
Type = Annotated[
    str | None, typer.Option("--type", metavar="NAME", help="Only this type, e.g. crm.portal.OrderPlaced.")
]
Reveal = Annotated[
    bool, typer.Option("--reveal", help="Show personal fields in the clear; needs the role, and is recorded.")
]


@app.command()
def show(
    ctx: typer.Context,
    after: After = None,
    subject: Subject = None,
    type_: Type = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most this many events.")] = None,
    reveal: Reveal = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Print the events that are there, oldest first, and end.

    Personal fields appear as they are stored, encrypted, unless you ask with --reveal.
    """

    async def run(client: Client) -> None:
        answer = client.lines("GET", _PATH, after=after, subject=subject, type=type_, limit=limit, reveal=_flag(reveal))
        await _print(answer, as_json)

    reach(ctx, data, run)


@app.command()
def tail(
    ctx: typer.Context,
    after: After = None,
    subject: Subject = None,
    type_: Type = None,
    last: Annotated[int, typer.Option("--last", min=0, help="Begin so many positions before the end.")] = 10,
    reveal: Reveal = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Print the last events and then each new one as it is recorded, until Ctrl-C."""

    async def run(client: Client) -> None:
        start = await _before_the_end(client, last) if after is None else after
        answer = client.lines(
            "GET", _PATH, after=start, subject=subject, type=type_, reveal=_flag(reveal), follow="true"
        )
        await _print(answer, as_json)

    with suppress(KeyboardInterrupt):
        reach(ctx, data, run)


async def _before_the_end(client: Client, last: int) -> int:
    families = await client.get("/api/v1/projections")
    return max(0, max((int(family["head"]) for family in families), default=0) - last)


def _flag(wanted: bool) -> str | None:
    return "true" if wanted else None


async def _print(answer: AbstractAsyncContextManager[AsyncIterator[Any]], as_json: bool) -> None:
    async with answer as events:
        async for event in events:
            if as_json:
                print_json(event)
            else:
                print_line(f"{event['position']:>8}  {event['recorded_at']}  {event['type']}  {event['subject']}")
                print_line(f"          {event['actor']}  {event['stream']}@{event['version']}  {event['data']}", "dim")
