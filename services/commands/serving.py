"""`rapport up` and `rapport topics`: what serves, and what it needs of Kafka."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from services.commands.composition import Serving
from services.commands.options import Data, Json, brokers, composition, target
from services.commands.output import print_json, print_line

topics = typer.Typer(help="The Kafka topics that the services publish to.", no_args_is_help=True)


def up(
    ctx: typer.Context,
    port: Annotated[
        int,
        typer.Option(
            "--port", envvar="RAPPORT_PORT", min=0, max=65535, help="Port on this machine; 0 takes a free one."
        ),
    ] = 8000,
    kafka: Annotated[
        str | None,
        typer.Option(
            "--kafka",
            envvar="RAPPORT_KAFKA",
            parser=brokers,
            metavar="HOST:PORT",
            help="Also relay every event to this Kafka.",
        ),
    ] = None,
    data: Data = None,
) -> None:
    """Serve all four services from one data folder, in one process, until Ctrl-C.

    The folder is created when it is missing; the first start prints an administrator's password, once. Only one
    process can serve a folder.
    """
    composition(ctx).serve(Serving(target(data).data, port, kafka))


def serve(
    ctx: typer.Context,
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="contacts, interactions, portal or analytics.")],
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=0, max=65535, help="Port to listen on, instead of RAPPORT_PORT; 0 takes a free one."
        ),
    ] = None,
) -> None:
    """Serve one service as a process of its own, until SIGTERM: any number of replicas may run.

    The servers that it needs come from the environment: RAPPORT_STORE, RAPPORT_KAFKA, RAPPORT_DATABASE and
    RAPPORT_KEYRING; RAPPORT_INSTANCE names the replica.
    """
    composition(ctx).serve_service(service, port)


@topics.command("create")
def create(
    ctx: typer.Context,
    kafka: Annotated[
        str,
        typer.Option(
            "--kafka", envvar="RAPPORT_KAFKA", parser=brokers, metavar="HOST:PORT", help="The Kafka to create them on."
        ),
    ],
    as_json: Json = False,
) -> None:
    """Create the topics that are missing: 12 partitions each, kept without limit."""
    names = asyncio.run(composition(ctx).create_topics(kafka))
    if as_json:
        print_json(names)
    else:
        print_line("\n".join(names))
