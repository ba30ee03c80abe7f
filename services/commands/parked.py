"""`rapport parked`: the events that a read model could not apply, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any
from urllib.parse import quote

import typer

from services.commands.client import Client
from services.commands.failure import CHECK_FAILED, Failure
from services.commands.options import Data, Json, reach
from services.commands.output import print_facts, print_json, print_line, print_rows

app = typer.Typer(
    help="Events that a read model could not apply, and those that wait behind them.", no_args_is_help=True
)
_PATH = "/api/v1/parked"

Entry = dict[str, Any]
Family = Annotated[
    str | None,
    typer.Option("--family", metavar="NAME", help="Only in this read model.  [default: wherever it is parked]"),
]
Position = Annotated[
    str,
    typer.Argument(
        metavar="POSITION",
        help="Of the event; TOPIC:PARTITION:OFFSET of a record that is no event.",
        show_default=False,
    ),
]


@app.command("list")
def list_(ctx: typer.Context, data: Data = None, as_json: Json = False) -> None:
    """List what is parked, in the order in which it waits."""

    async def run(client: Client) -> list[Entry]:
        found: list[Entry] = await client.get(_PATH)
        return found

    _tell(reach(ctx, data, run), as_json)


@app.command()
def show(
    ctx: typer.Context, position: Position, family: Family = None, data: Data = None, as_json: Json = False
) -> None:
    """Show one parked event with its reason, personal fields masked, and what waits behind it."""

    async def run(client: Client) -> list[Entry]:
        parked = await _find(client, "POSITION", lambda entry: entry["name"] == position, family)
        return [await client.get(f"{_PATH}/{_of(entry)}/{quote(position, safe='')}") for entry in parked]

    for_people = reach(ctx, data, run)
    if as_json:
        print_json(for_people)
        return
    for entry in for_people:
        facts = {
            name: entry[name] for name in ("family", "subject", "type", "reason", "category", "attempts", "first_at")
        }
        print_facts(f"Parked at {position}", facts | {"waiting behind": len(entry["waiting"])})
        if entry["event"]:
            print_facts("What it says", entry["event"] | {"data": None} | entry["event"]["data"])


@app.command()
def retry(
    ctx: typer.Context,
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="Whose events, e.g. customer-<uuid>.")],
    family: Family = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Apply what is parked of a subject, in order, until one fails again; prints what goes on waiting.

    Ends with exit code 1 when one fails again.
    """

    async def run(client: Client) -> tuple[int, list[Entry]]:
        parked = await _find(client, "SUBJECT", lambda entry: entry["subject"] == subject, family)
        applied, waiting = 0, []
        for path in dict.fromkeys(map(_of, parked)):
            done = await client.post(f"{_PATH}/{path}/retry", {"subject": subject})
            applied += done["applied"]
            waiting += done["waiting"]
        return applied, waiting

    applied, waiting = reach(ctx, data, run)
    if not as_json:
        print_line(f"{applied:,} applied.", "green" if applied else "")
    if waiting or as_json:
        _tell(waiting, as_json)
    if waiting:
        first = waiting[0]
        raise Failure(f"{first['family']} still cannot apply {first['name']}: {first['reason']}", CHECK_FAILED)


@app.command()
def skip(
    ctx: typer.Context,
    position: Position,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept with your name. Write nothing personal.")],
    family: Family = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Give up one parked event for good; prints what waits behind it and may then be retried."""

    async def run(client: Client) -> list[Entry]:
        parked = await _find(client, "POSITION", lambda entry: entry["name"] == position, family)
        if len(parked) > 1:
            named = ", ".join(entry["family"] for entry in parked)
            raise Failure(f"--family: {position} is parked in {named}; name one")
        done = await client.post(f"{_PATH}/{_of(parked[0])}/skip", {"position": position, "reason": reason})
        waiting: list[Entry] = done["waiting"]
        return waiting

    waiting = reach(ctx, data, run)
    if not as_json:
        print_line(f"{position} is skipped.", "yellow")
    if waiting or as_json:
        _tell(waiting, as_json)


async def _find(client: Client, argument: str, wanted: Callable[[Entry], bool], family: str | None) -> list[Entry]:
    parked = [entry for entry in await client.get(_PATH) if wanted(entry) and family in {None, entry["family"]}]
    if not parked:
        raise Failure(
            f"{argument}: no such event is parked{f' in {family}' if family else ''}; see `rapport parked list`"
        )
    return parked


def _of(entry: Entry) -> str:
    return quote(entry["family"], safe="")


def _tell(entries: Sequence[Entry], as_json: bool) -> None:
    if as_json:
        print_json(entries)
    elif not entries:
        print_line("Nothing is parked.", "green")
    else:
        columns = ("family", "subject", "name", "type", "category", "attempts", "first_at", "reason")
        titles = ["position" if column == "name" else column.replace("_", " ") for column in columns]
        print_rows("Parked events", titles, ([entry[column] for column in columns] for entry in entries))
