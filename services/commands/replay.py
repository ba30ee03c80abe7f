"""`rapport replay`: build read models anew beside those that are read, compare, swap, go back."""

from __future__ import annotations

import asyncio
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from services.commands.client import Client
from services.commands.failure import CHECK_FAILED, Failure
from services.commands.options import Data, Json, Progress, reach
from services.commands.output import print_facts, print_json, print_line, print_rows
from services.commands.progress import Report, reporting
from services.commands.tracing import customer_id

app = typer.Typer(
    help="Build read models anew beside those that are read, compare, swap, go back.", no_args_is_help=True
)
_API: Final = "/api/v1/replays"
_LOOK_SECONDS: Final = 0.2
_UNDER_WAY: Final = frozenset({"building", "as_of"})
_COLUMNS: Final = ("family", "version", "generation", "status", "position", "target", "applied", "rate", "eta_seconds")

Family = Annotated[str, typer.Argument(metavar="FAMILY", help="A family of read models, or one of its tables.")]
Generation = Annotated[
    int | None, typer.Option("--generation", min=1, help="Which one.  [default: the newest that can be meant]")
]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept with who did it.")]


class Origin(StrEnum):
    """Where history is read."""

    STORE = "store"
    KAFKA = "kafka"


def _moment(text: str) -> int | str:
    """A position, or an instant with its offset."""
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is neither a position nor an instant such as 2026-03-02T09:30:00Z"
        ) from None
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{text!r} has no offset from UTC: end it with Z or +01:00")
    return moment.isoformat()


@app.command()
def start(
    ctx: typer.Context,
    family: Family,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept with who did it.")],
    after: Annotated[
        str, typer.Option("--from", parser=_moment, metavar="P|TIME", help="Leave out what is up to here.")
    ] = "0",
    until: Annotated[
        str | None, typer.Option("--until", parser=_moment, metavar="P|TIME", help="Leave out what is behind this.")
    ] = None,
    origin: Annotated[Origin, typer.Option("--origin", help="Where history is read.")] = Origin.STORE,
    processes: Annotated[
        int, typer.Option("--processes", min=0, max=64, help="How many fold it; 0: what it is worth.")
    ] = 0,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Return when it is built.")] = True,
    data: Data = None,
    as_json: Json = False,
    progress: Progress = None,
) -> None:
    """Build a generation beside the one that is read; with `--from` or `--until` one of a part of history.

    Interrupted, it goes on where it is as soon as something runs in the folder again.
    """
    body = {"reason": reason, "after": after, "until": until, "origin": origin.value, "processes": processes}

    async def run(client: Client) -> Any:
        made = await client.post(f"{path_of(family)}/start", body)
        return await _built(client, made, report) if wait else made

    with reporting(progress) as report:
        found = reach(ctx, data, run)
    _show(found, as_json=as_json)
    if found["status"] == "failed":
        raise Failure(f"the building stopped at {found['error']}", CHECK_FAILED)


@app.command()
def status(
    ctx: typer.Context,
    family: Annotated[str | None, typer.Argument(metavar="[FAMILY]", help="Only this family.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until all is built.")] = False,
    data: Data = None,
    as_json: Json = False,
    progress: Progress = None,
) -> None:
    """Show every generation: how far, how fast, how long still."""
    path = path_of(family) if family else _API

    async def run(client: Client) -> Any:
        found = await client.get(path)
        if watch:
            found = [await _built(client, each, report) for each in found]
        return found

    with reporting(progress or (True if watch else progress)) as report:
        found = reach(ctx, data, run)
    if as_json:
        print_json(found)
        return
    rows = ([each[column] for column in _COLUMNS] for each in found)
    print_rows("Generations", [column.replace("_", " ") for column in _COLUMNS], rows)
    for each in found:
        if each["error"]:
            print_line(f"{each['family']} generation {each['generation']} stopped at {each['error']}", "red")


def _command(act: str, about: str) -> None:
    @app.command(act, help=about)
    def command(
        ctx: typer.Context,
        family: Family,
        generation: Generation = None,
        reason: Reason = "",
        data: Data = None,
        as_json: Json = False,
    ) -> None:
        async def run(client: Client) -> Any:
            body = {"generation": generation, "reason": reason}
            return await client.post(f"{path_of(family)}/{act}", body)

        _show(reach(ctx, data, run), as_json=as_json)


_command("pause", "Stop building; what is built stays, with a true position.")
_command("resume", "Go on building what was paused or has failed.")
_command("drop", "Remove a generation that is not read.")
_command("rollback", "Read from the generation before again.")


@app.command()
def customer(
    ctx: typer.Context,
    family: Family,
    who: Annotated[str, typer.Argument(metavar="CUSTOMER", help="An id, or an alias such as online-retail:12346.")],
    reason: Reason = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make the rows of one customer anew in what is read, from all its events."""

    async def run(client: Client) -> Any:
        subject = f"customer-{await customer_id(client, who)}"
        return await client.post(f"{path_of(family)}/subjects/{subject}", {"reason": reason})

    found = reach(ctx, data, run)
    if as_json:
        print_json(found)
    else:
        print_facts(found["family"], {**found, "untouched": ", ".join(found["untouched"]) or "none"})


def path_of(family: str) -> str:
    """Where the API has a family's generations."""
    return f"{_API}/{quote(family, safe='')}"


async def _built(client: Client, made: dict[str, Any], report: Report) -> dict[str, Any]:
    """Wait until a generation is built, or is built no more."""
    which = ("version", "generation")
    if made["status"] in _UNDER_WAY:
        report.phase(f"{made['family']} {made['generation']}", made["target"], "events")
    while made["status"] in _UNDER_WAY and made["eta_seconds"] != 0:
        await asyncio.sleep(_LOOK_SECONDS)
        found = await client.get(path_of(made["family"]))
        made = next((each for each in found if [each[w] for w in which] == [made[w] for w in which]), made)
        report.at(made["position"], made["target"])
    return made


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    facts = {column.replace("_", " "): found[column] for column in _COLUMNS[1:] if found[column] is not None}
    print_facts(found["family"], facts)
