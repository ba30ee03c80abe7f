"""`rapport verify` and `rapport projections status`: is everything as it should be."""

from __future__ import annotations

from typing import Any

import typer

from services.commands.client import Client
from services.commands.failure import CHECK_FAILED, UNREACHABLE, Failure
from services.commands.options import Data, Json, Progress, reach
from services.commands.output import print_facts, print_json, print_line, print_rows
from services.commands.progress import Report, reporting

projections = typer.Typer(help="The read models that are built from the events.", no_args_is_help=True)


@projections.command()
def status(ctx: typer.Context, data: Data = None, as_json: Json = False) -> None:
    """Show how far each family of projections is behind the log, and what is parked."""

    async def run(client: Client) -> Any:
        return await client.get("/api/v1/projections")

    families = reach(ctx, data, run)
    if as_json:
        print_json(families)
        return
    columns = ("family", "version", "generation", "status", "position", "head", "lag_events", "lag_seconds", "parked")
    titles = [column.replace("_", " ") for column in columns]
    print_rows("Projections", titles, ([family.get(column) for column in columns] for family in families))


def verify(ctx: typer.Context, data: Data = None, as_json: Json = False, progress: Progress = None) -> None:
    """Check the hash chain of the log and compare every projection with a fresh fold of all events.

    Ends with exit code 1 when anything differs.
    """

    async def run(client: Client) -> dict[str, Any]:
        return await _verify(client, report)

    with reporting(progress) as report:
        result = reach(ctx, data, run)
    if as_json:
        print_json(result)
    else:
        _print(result)
    if not result["ok"]:
        raise Failure(_complaint(result), CHECK_FAILED)


async def _verify(client: Client, report: Report) -> dict[str, Any]:
    what = None
    async with client.lines("POST", "/api/v1/verify") as lines:
        async for line in lines:
            if "result" in line:
                result: dict[str, Any] = line["result"]
                return result
            step = line["progress"]
            if step["what"] != what:
                what = step["what"]
                report.phase(what, step["total"])
            report.at(step["done"], step["total"])
    raise Failure("the answer of verify ended without a result", UNREACHABLE)


def _complaint(result: dict[str, Any]) -> str:
    wrong = [
        f"projection {table['name']} differs from a fresh fold"
        + (f" ({table['parked']} parked)" if table["parked"] else "")
        for table in result["projections"]
        if not table["equal"]
    ]
    if not result["chain_ok"]:
        wrong.insert(0, f"the hash chain breaks at position {result['first_bad']}")
    if bad := result.get("bad_stream"):
        wrong.insert(0, bad)
    return "; ".join(wrong) or "the check failed"


def _print(result: dict[str, Any]) -> None:
    facts = {name: result[name] for name in ("events", "streams", "head", "chain_ok", "first_bad")}
    print_facts("Log", {name.replace("_", " "): value for name, value in facts.items()})
    columns = ("name", "family", "position", "applied", "parked", "rows", "equal")
    print_rows("Projections", columns, ([table.get(name) for name in columns] for table in result["projections"]))
    skipped = {table["family"]: table.get("skipped") for table in result["projections"]}
    for family in filter(skipped.get, skipped):
        print_line(f"{family} was folded without {', '.join(skipped[family])}: skipped by hand.", "yellow")
    if result["ok"]:
        print_line("Everything is as it should be.", "green")
