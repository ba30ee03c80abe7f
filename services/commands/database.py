"""`rapport database`: the tables that a deployment needs in PostgreSQL."""

from __future__ import annotations

from typing import Annotated

import typer

from services.commands.options import Json, composition, postgres
from services.commands.output import print_json, print_line

database = typer.Typer(help="The PostgreSQL databases of a deployment.", no_args_is_help=True)


@database.command("upgrade")
def upgrade(
    ctx: typer.Context,
    database_url: Annotated[
        str,
        typer.Option(
            "--database",
            envvar="RAPPORT_DATABASE",
            parser=postgres,
            metavar="URL",
            help="The database of accounts and read models, postgresql://…",
        ),
    ],
    keyring_url: Annotated[
        str,
        typer.Option(
            "--keyring",
            envvar="RAPPORT_KEYRING",
            parser=postgres,
            metavar="URL",
            help="The database of the subjects' keys, postgresql://…",
        ),
    ],
    as_json: Json = False,
) -> None:
    """Bring the tables of accounts and keys to this release; the first time prints an administrator's password, once.

    Run it before the services of a new release start; twice or from two machines does no harm.
    """
    first = composition(ctx).upgrade_database(database_url, keyring_url)
    if as_json:
        administrator = {"name": first[0], "password": first[1]} if first else None
        print_json({"upgraded": True, "administrator": administrator})
        return
    print_line("Both databases are as this release needs them.")
    if first:
        print_line(f"first run: sign in as {first[0]} with the password {first[1]} (shown this once)")
