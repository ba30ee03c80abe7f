"""`rapport analytics what-if`: what other cut-offs and segment rules would make of the same customers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from services.commands.client import Client
from services.commands.days import app
from services.commands.failure import Failure
from services.commands.insight import ask
from services.commands.options import AsOf, Currency, Data, Json, Source, reach
from services.commands.output import UNDEFINED, money, number, print_facts, print_json, print_rows

__all__ = ["app"]

_PATH = "/analytics/api/v1/what-if"


@app.command()
def rules(ctx: typer.Context, data: Data = None, as_json: Json = False) -> None:
    """Show the rules that count: what the scores take, and which segment they make. With --json to start from."""
    found = ask(ctx, data, "/rules")
    if as_json:
        print_json(found)
        return
    print_facts("What scores 2 to 5 take", {letter: _cut_offs(found[letter]) for letter in "rfm"})
    columns = ("segment", "r", "f", "m", "s", "once")
    rows = ([rule["segment"], *(_span(rule.get(name)) for name in columns[1:])] for rule in found["segments"])
    print_rows("Segments: the first rule that takes a customer", columns, rows)


@app.command("what-if")
def what_if(
    ctx: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(metavar="RULES.json", help="Other rules, as `rules --json` prints them.", show_default=False),
    ],
    limit: Annotated[int, typer.Option("--limit", min=0, max=1000, help="How many customers to name.")] = 100,
    as_of: AsOf = None,
    source: Source = None,
    currency: Currency = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Try other rules on the same customers: who would stand in another segment. Nothing is recorded."""
    asked = {"as_of": as_of, "source": source, "currency": currency}
    body = {name: value for name, value in asked.items() if value} | {"rules": _read(file), "limit": limit}

    async def run(client: Client) -> Any:
        return await client.post(_PATH, body)

    found = reach(ctx, data, run)
    if as_json:
        print_json(found)
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    title = f"{number(found['changed'])} of {number(found['n'])} customers would stand in another segment"
    gross, code = found["gross_minor"], found["currency"]
    by_segment = (
        [name, found["before"].get(name, 0), after, *(money(gross[side].get(name, 0), code) for side in gross)]
        for name, after in found["after"].items()
    )
    print_rows(title, ("segment", "customers now", "what if", "orders now", "what if"), by_segment)
    flows = ([was, would, count] for was, row in found["moves"].items() for would, count in row.items())
    print_rows("Moves", ("from", "to", "customers"), flows)
    customers = (
        [each["customer"], each["before"], each["after"], *(_scores(each["scores"][side]) for side in each["scores"])]
        for each in found["customers"]
    )
    print_rows("Customers", ("customer", "now", "what if", "r / f / m now", "what if"), customers)


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Failure(f"RULES.json: cannot read {file}: {error.strerror}") from None
    except ValueError as error:
        raise Failure(f"RULES.json: {file} is not JSON: {error}") from None


def _cut_offs(given: dict[str, Any]) -> str:
    kind, unit = ("shares", "% of customers worse") if "shares" in given else ("cuts", "")
    return f"{', '.join(map(number, given[kind]))} {unit}".rstrip()


def _span(given: Any) -> str:
    if given is None:
        return UNDEFINED
    return " to ".join(f"{bound:g}" for bound in given) if isinstance(given, list) else str(given).lower()


def _scores(scores: list[int]) -> str:
    return " / ".join(map(str, scores))
