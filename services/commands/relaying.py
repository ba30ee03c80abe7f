"""`rapport relay replay`: the past once more, for a subscriber that asked for it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from services.commands.client import Client
from services.commands.options import Data, Json, Progress, brokers, reach
from services.commands.output import print_facts, print_json, print_line
from services.commands.progress import followed, reporting

relay = typer.Typer(help="What subscribers get of the events.", no_args_is_help=True)


@relay.command()
def replay(
    ctx: typer.Context,
    service: Annotated[str, typer.Option("--service", metavar="NAME", help="Whose events, e.g. contacts.")],
    topic: Annotated[
        str, typer.Option("--topic", metavar="NAME", help="The subscriber's own topic; made if it is missing.")
    ],
    first: Annotated[int, typer.Option("--from", min=1, metavar="POSITION", help="The first position.")] = 1,
    last: Annotated[
        int | None, typer.Option("--to", min=1, metavar="POSITION", help="The last position.  [default: the log's end]")
    ] = None,
    kafka: Annotated[
        str | None,
        typer.Option(
            "--kafka",
            parser=brokers,
            metavar="HOST:PORT",
            help="The Kafka of the topic.  [default: that of the installation]",
        ),
    ] = None,
    data: Data = None,
    as_json: Json = False,
    progress: Progress = None,
) -> None:
    """Publish a service's events between two positions into a subscriber's own topic, never into a live one.

    They come in order per subject, as the relay publishes them, each with the header `replay`. A run that was stopped
    is not gone on with: the next one begins anew, and what is there already stays.
    """
    wishes = {"service": service, "topic": topic, "from": first, "to": last, "kafka": kafka}

    async def run(client: Client) -> dict[str, Any]:
        async with client.lines("POST", "/api/v1/relay/replay", **wishes) as lines:
            return await followed(lines, report, "the answer of the replay", {"publishing": "positions"})

    with reporting(progress) as report:
        result = reach(ctx, data, run)
    if as_json:
        print_json(result)
        return
    print_facts("Published", {name: result[name] for name in ("service", "from", "to", "topic", "events", "replay")})
    if result["anew"]:
        print_line(
            "The topic held records already. Those of this replay carry its id in the header `replay`.", "yellow"
        )
