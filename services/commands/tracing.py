"""`rapport trace`: what each event of a customer changed in a read model."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

import typer

from services.commands.client import Client
from services.commands.events import Reveal
from services.commands.failure import Failure
from services.commands.options import Data, Json, reach
from services.commands.output import print_json, print_line


def trace(
    ctx: typer.Context,
    projection: Annotated[str, typer.Argument(metavar="PROJECTION", help="A family of read models, or a table of it.")],
    customer: Annotated[
        str, typer.Option("--customer", metavar="ID", help="Who: an id, or an alias such as online-retail:12346.")
    ],
    reveal: Reveal = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show every event of a customer with the rows before it and after it.

    Personal fields are not shown unless you ask with --reveal. One JSON document a line with --json.
    """

    async def run(client: Client) -> None:
        id_ = await customer_id(client, customer)
        wish = {"subject": f"customer-{id_}", "reveal": "true" if reveal else None}
        async with client.lines("GET", f"/api/v1/trace/{quote(projection, safe='')}", **wish) as lines:
            found = False
            async for line in lines:
                found = True
                if as_json:
                    print_json(line)
                else:
                    _print(line)
        if not found:
            raise Failure(f"--customer: {projection} has read no event of {customer}")

    reach(ctx, data, run)


async def customer_id(client: Client, customer: str) -> UUID:
    """The id of a customer who is named by it or by an alias."""
    try:
        return UUID(customer.removeprefix("customer-"))
    except ValueError:
        found = await client.get(f"/contacts/api/v1/customers/{quote(customer, safe=':')}")
        return UUID(found["id"])


def _print(step: dict[str, Any]) -> None:
    event = step["event"]
    print_line(f"{event['position']:>8}  {event['recorded_at']}  {event['type']}  {event['actor']}", "bold")
    if step["error"]:
        print_line(f"          parked: {step['error']}", "red")
    for change in step["changes"]:
        key = " ".join(map(str, change["key"]))
        print_line(f"          {change['table']} {key}", "cyan")
        before, after = change["before"] or {}, change["after"] or {}
        for name in {**before, **after}:
            if before.get(name) != after.get(name):
                was, now = (side.get(name, "no row") for side in (before, after))
                print_line(f"            {name}: {was} -> {now}")
