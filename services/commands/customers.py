"""`rapport customers`: who is the same as whom, and who is to be forgotten."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer

from services.commands.client import Client
from services.commands.failure import Failure, Problem
from services.commands.options import Data, Json, reach
from services.commands.output import print_json, print_line

app = typer.Typer(help="Merge customers that are the same, take a merge back, erase for ever.", no_args_is_help=True)
_API = "/contacts/api/v1/customers"
_NOT_THERE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
_HOW = "SOURCE:ID, e.g. cdnow:1516, or Rapport's own id."

Ground = Literal["request", "consent_withdrawn", "objection", "purpose_ended", "unlawful", "legal_obligation"]
Absorbed = Annotated[
    str, typer.Argument(metavar="ABSORBED", help=f"The customer that is another one: {_HOW}", show_default=False)
]


@app.command()
def merge(
    ctx: typer.Context,
    absorbed: Absorbed,
    survivor: Annotated[
        str, typer.Argument(metavar="SURVIVOR", help="The customer that both are from now on.", show_default=False)
    ],
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why they are the same.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Have SURVIVOR absorb ABSORBED: whatever is recorded of either counts for SURVIVOR, until `unmerge`."""

    async def run(client: Client) -> Any:
        found = await _find(client, "ABSORBED", absorbed)
        other = await _find(client, "SURVIVOR", survivor)
        return await _change(client, found, "merge", {"survivor": other["id"], "reason": reason})

    done = reach(ctx, data, run)
    _tell(done, as_json, f"{absorbed} is absorbed into {survivor}.")


@app.command()
def unmerge(ctx: typer.Context, absorbed: Absorbed, data: Data = None, as_json: Json = False) -> None:
    """Take a merge back: ABSORBED counts for itself again."""

    async def run(client: Client) -> Any:
        return await _change(client, await _find(client, "ABSORBED", absorbed), "unmerge", None)

    done = reach(ctx, data, run)
    _tell(done, as_json, f"{absorbed} counts for itself again.")


@app.command()
def erase(
    ctx: typer.Context,
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help=_HOW, show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Do it: an erasure cannot be taken back.")] = False,
    reason: Annotated[Ground | None, typer.Option("--reason", help="On which ground the data must go.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Erase CUSTOMER and everybody who was absorbed into it, for ever; prints an answer for each."""
    if not yes:
        raise Failure("--yes: an erasure cannot be taken back; say --yes to erase the customer")

    async def run(client: Client) -> Any:
        return await _change(client, await _find(client, "CUSTOMER", customer), "erase", {"reason": reason})

    done = reach(ctx, data, run)
    others = f", with {len(done) - 1} absorbed into it" if len(done) > 1 else ""
    _tell(done, as_json, f"{customer} was erased{others}.")


async def _find(client: Client, argument: str, reference: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = await client.get(f"{_API}/{quote(reference, safe=':')}")
    except Problem as problem:
        if problem.status in _NOT_THERE:
            raise Failure(f"{argument}: {problem}: {reference}") from None
        raise
    return found


async def _change(client: Client, customer: dict[str, Any], what: str, body: Any) -> Any:
    """The answer of an edit, once whoever asks for the customer next sees it, if that does not take long."""
    path = f"{_API}/{customer['id']}"
    done = await client.post(f"{path}/{what}", body, version=customer["version"])
    last = done[-1] if isinstance(done, list) else done
    try:
        await client.get(path, after=last["position"])
    except Problem as problem:
        if problem.status not in {*_NOT_THERE, HTTPStatus.GATEWAY_TIMEOUT}:
            raise
    return done


def _tell(done: Any, as_json: bool, line: str) -> None:
    if as_json:
        print_json(done)
    else:
        print_line(line, "green")
