"""`rapport replay`, further: compare a generation with what is read, and have it read."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from services.commands.client import Client
from services.commands.failure import BAD_INPUT, CHECK_FAILED, UNREACHABLE, Failure
from services.commands.options import Data, Json, Progress, reach
from services.commands.output import number, print_json, print_line, print_rows
from services.commands.progress import Report, reporting
from services.commands.replay import Family, Generation, Reason, app, path_of

__all__ = ["app"]

Limit = Annotated[int, typer.Option("--limit", min=0, max=1_000, help="How many differing rows to show of a table.")]


@app.command()
def compare(
    ctx: typer.Context,
    family: Family,
    generation: Generation = None,
    limit: Limit = 10,
    data: Data = None,
    as_json: Json = False,
    progress: Progress = None,
) -> None:
    """Compare a generation with the one that is read, at the same position. Exit code 1 when they differ."""

    async def run(client: Client) -> Any:
        return await _result(client, f"{path_of(family)}/compare/{generation or 0}", report, limit=limit)

    with reporting(progress) as report:
        found = reach(ctx, data, run)
    _compared(found, as_json=as_json)
    if not found["equal"]:
        raise Failure("they differ", CHECK_FAILED)


@app.command()
def swap(
    ctx: typer.Context,
    family: Family,
    generation: Generation = None,
    reason: Reason = "",
    accept: Annotated[
        str | None, typer.Option("--accept", metavar="WHY", help="Why the differences are right, if there are any.")
    ] = None,
    data: Data = None,
    as_json: Json = False,
    progress: Progress = None,
) -> None:
    """Compare, then read from the new generation. Differences keep it from being read unless they are accepted."""

    async def run(client: Client) -> Any:
        path = f"{path_of(family)}/swap/{generation or 0}"
        return await _result(client, path, report, reason=reason, accept=accept)

    with reporting(progress) as report:
        found = reach(ctx, data, run)
    _compared(found, as_json=as_json)
    if not found["swapped"]:
        raise Failure("they differ, so it is not read; --accept WHY if the differences are right", CHECK_FAILED)


async def _result(client: Client, path: str, report: Report, **params: Any) -> dict[str, Any]:
    began = False
    async with client.lines("POST", path, **params) as lines:
        async for line in lines:
            if "error" in line:
                raise Failure(line["error"], BAD_INPUT)
            if "result" in line:
                result: dict[str, Any] = line["result"]
                return result
            step = line["progress"]
            if not began:
                began = True
                report.phase("tables", step["total"])
            report.at(step["done"], step["total"])
    raise Failure("the answer ended without a result", UNREACHABLE)


def _compared(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    rows = ([t["table"], *t["rows"], t["equal"]] for t in found["tables"])
    print_rows(f"Both at {number(found['position'])}", ("table", "active rows", "candidate rows", "equal"), rows)
    if found["differences"]:
        columns = ("table", "key", "active", "candidate")
        shown = ([each["table"], " ".join(map(str, each["key"])), *_sides(each)] for each in found["differences"])
        print_rows("The first rows that differ", columns, shown)
    if found.get("swapped"):
        print_line(f"{found['family']} is read from generation {found['generation']} now.", "green")


def _sides(each: dict[str, Any]) -> tuple[str, str]:
    """What differs, on both sides; all of a row that the other side does not have."""
    active, candidate = each["active"], each["candidate"]
    names = [name for name in active or candidate if not (active and candidate) or active[name] != candidate[name]]
    one, other = (
        ", ".join(f"{name} {row[name]}" for name in names) if row else "no such row" for row in (active, candidate)
    )
    return one, other
