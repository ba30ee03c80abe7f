"""`rapport analytics`, further: models, value, movements, cohorts, what is due, and why a score is what it is."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

import typer

from services.commands.analytics import app, ask
from services.commands.options import AsOf, Currency, Data, Json, Source, day
from services.commands.output import UNDEFINED, money, number, print_facts, print_json, print_rows

__all__ = ["app", "ask"]


class Unit(StrEnum):
    """What the times of a model are counted in."""

    WEEKS = "weeks"
    DAYS = "days"


@app.command()
def models(
    ctx: typer.Context,
    unit: Annotated[Unit, typer.Option("--unit", help="What times are counted in.")] = Unit.WEEKS,
    no_guard: Annotated[bool, typer.Option("--no-guard", help="Plain maximum likelihood.")] = False,
    holdout_until: Annotated[
        str | None, typer.Option("--holdout-until", parser=day, metavar="DATE", help="Compare with what came by then.")
    ] = None,
    as_of: AsOf = None,
    source: Source = None,
    currency: Currency = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Fit the models of buying, spending and regularity to a base, and test them on what came after."""
    params = {"unit": unit.value, "guard": "false" if no_guard else "true", "holdout_until": holdout_until}
    found = ask(ctx, data, "/models", **params, as_of=as_of, source=source, currency=currency)
    if as_json:
        print_json(found)
        return
    names = ("bg_nbd", "mbg_nbd", "cnbd", "gamma_gamma")
    facts = {name: ", ".join(f"{key} {number(value, 4)}" for key, value in found[name].items()) for name in names}
    told = {f"backtest {name}": _told(values) for name, values in found["backtest"].items() if values}
    flags = "; ".join(found["flags"]) or "none"
    print_facts("Models", {"customers": found["n"], **facts, "wheat k": number(found["wheat_k"], 4), **told, "": flags})


@app.command()
def portfolio(
    ctx: typer.Context,
    as_of: AsOf = None,
    source: Source = None,
    currency: Currency = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show what the base is worth, on how few customers it rests, and what it will bring in a year."""
    found = ask(ctx, data, "/portfolio", as_of=as_of, source=source, currency=currency)
    if as_json:
        print_json(found)
        return
    ahead = found["lifetime"] or {}
    facts = {
        "customers": found["n"],
        "orders so far": money(found["total_minor"], currency),
        "share of the best fifth": number(found["top20_share"], 4),
        "gini": number(found["gini"], 4),
        "in the year to come": money(ahead.get("total_minor"), currency),
    }
    print_facts("Portfolio", facts)
    rows = (
        [name, money(value, currency), money(ahead.get("by_segment", {}).get(name), currency)]
        for name, value in found["by_segment"].items()
    )
    print_rows("By segment", ("segment", "so far", "a year ahead"), rows)


@app.command()
def migration(
    ctx: typer.Context,
    since: Annotated[str, typer.Option("--from", parser=day, metavar="DATE", help="The first day.")],
    to: Annotated[str, typer.Option("--to", parser=day, metavar="DATE", help="The second day.")],
    source: Source = None,
    currency: Currency = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show where the customers of each segment went between two days."""
    found = ask(ctx, data, "/migration", **{"from": since, "to": to}, source=source, currency=currency)
    if as_json:
        print_json(found)
        return
    names = list(found["matrix"])
    rows = ([name, *(found["matrix"][name][other] for other in names)] for name in names)
    print_rows(f"{number(found['n'])} customers, {found['born']} new, {found['gone']} gone", ("from", *names), rows)


@app.command()
def cohorts(
    ctx: typer.Context,
    as_of: AsOf = None,
    source: Source = None,
    currency: Currency = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show how many customers of each first month bought again in the months after it."""
    found = ask(ctx, data, "/cohorts", as_of=as_of, source=source, currency=currency)
    if as_json:
        print_json(found)
        return
    width = len(found[0]["active"]) if found else 0
    rows = ([row["month"], row["size"], *(number(count) for count in row["active"][1:])] for row in found)
    print_rows("Cohorts", ("first month", "customers", *(f"+{age}" for age in range(1, width))), rows)


@app.command()
def due(
    ctx: typer.Context,
    product: Annotated[str | None, typer.Option("--product", metavar="CODE", help="Only this product.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many at most.")] = 100,
    as_of: AsOf = None,
    source: Source = None,
    currency: Currency = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List who is due to buy which product again, the likeliest first."""
    params = {"product": product, "limit": str(limit)}
    found = ask(ctx, data, "/due", **params, as_of=as_of, source=source, currency=currency)
    if as_json:
        print_json(found)
        return
    columns = ("customer", "product", "last", "next_due", "chance")
    rows = ([*(row[name] for name in columns[:-1]), f"{row['chance']:.0%}"] for row in found)
    print_rows("Due", tuple(name.replace("_", " ") for name in columns), rows)


@app.command()
def explain(
    ctx: typer.Context,
    score: Annotated[
        str,
        typer.Argument(
            metavar="SCORE", help="r, f, m, segment, index, active, lapse, expected, value or due.", show_default=False
        ),
    ],
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="SOURCE:ID or Rapport's own id.", show_default=False)],
    as_of: AsOf = None,
    source: Source = None,
    currency: Currency = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Open one score of a customer: how it is made, of what, against whom, and the events behind it."""
    path = f"/explain/{quote(score)}/{quote(alias, safe=':')}"
    found = ask(ctx, data, path, as_of=as_of, source=source, currency=currency)
    if as_json:
        print_json(found)
        return
    parts = {f"part {part['name']}": number(part["points"]) for part in found["contributions"]}
    facts = {name: found[name] for name in ("value", "as_of", "model", "definition")}
    inputs = {f"input {name}": value for name, value in found["inputs"].items()}
    behind = ", ".join(map(str, found["events"][:20])) or UNDEFINED
    told = {"backtest": _told(found["backtest"])} if found["backtest"] else {}
    fitted = {"model published at": ", ".join(map(str, found["model_events"]))} if found["model_events"] else {}
    print_facts(f"{score} of {alias}", {**facts, **fitted, **parts, **inputs, **told, "events": behind})


def _told(values: dict[str, Any]) -> str:
    shown = ("actual", "predicted", "mae", "rmse", "corr", "auc")
    return ", ".join(f"{name} {number(values[name], 4)}" for name in shown)
