"""`rapport staff` and `rapport token`: who may come in, and with what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from services.commands.client import Client
from services.commands.options import Data, Json, reach
from services.commands.output import print_facts, print_json, print_line

staff = typer.Typer(help="People who sign in to the pages.", no_args_is_help=True)
token = typer.Typer(help="Tokens for scripts and other systems.", no_args_is_help=True)

RoleName = Literal["specialist", "analyst", "manager", "operator", "privacy_officer", "admin"]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A name of your choice.", show_default=False)]
Role = Annotated[RoleName, typer.Option("--role", help="What they may do.")]


@staff.command("add")
def add_staff(ctx: typer.Context, name: Name, role: Role, data: Data = None, as_json: Json = False) -> None:
    """Create an account for a member of staff and print its first password, once."""
    _add(ctx, "/api/v1/staff", name, role, data, as_json)


@token.command("add")
def add_token(ctx: typer.Context, name: Name, role: Role, data: Data = None, as_json: Json = False) -> None:
    """Create a token for a script and print it, once; send it as `Authorization: Bearer …`."""
    _add(ctx, "/api/v1/tokens", name, role, data, as_json)


def _add(ctx: typer.Context, path: str, name: str, role: RoleName, data: Path | None, as_json: bool) -> None:
    async def run(client: Client) -> dict[str, Any]:
        answer = await client.post(path, {"name": name, "role": role})
        return {key: answer[key] for key in ("name", "role", "secret")}

    made = reach(ctx, data, run, create=True)
    if as_json:
        print_json(made)
        return
    print_facts("Created", made)
    print_line("The secret is not shown again.", "yellow")
