"""`rapport analytics`: the figures that the pages show, for a business day."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from services.commands.client import Client
from services.commands.options import AsOf, Currency, Data, Json, Source, reach
from services.commands.output import UNDEFINED, money, number, print_facts, print_json, print_rows

app = typer.Typer(help="Purchase rhythm, loyalty and intervals, as of a business day.", no_args_is_help=True)
_API = "/analytics/api/v1"
_BAR = 40
_SCORES = 5


@app.command()
def base(
    ctx: typer.Context,
    as_of: AsOf = None,
    source: Source = None,
    currency: Currency = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Count what the figures stand on: valid orders, their lines, customers, days and money."""
    found = ask(ctx, data, "/base", as_of=as_of, source=source, currency=currency)
    if as_json:
        print_json(found)
        return
    shown = {name.replace("_", " "): value for name, value in found.items() if not name.endswith("_minor")}
    shown["gross"] = money(found["gross_minor"], found["currency"])
    shown["credit"] = money(found["credit_minor"], found["currency"])
    print_facts("Base", shown)


@app.command()
def customer(
    ctx: typer.Context,
    alias: Annotated[
        str,
        typer.Argument(metavar="ALIAS", help="SOURCE:ID, e.g. cdnow:1516, or Rapport's own id.", show_default=False),
    ],
    as_of: AsOf = None,
    source: Source = None,
    currency: Currency = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show one customer: rhythm, when the next order is due, RFM scores and the segment."""
    path = f"/customers/{quote(alias, safe=':')}"
    found = ask(ctx, data, path, as_of=as_of, source=source, currency=currency)
    if as_json:
        print_json(found)
        return
    scores = [found[name] for name in ("r", "f", "m")]
    print_facts(
        f"Customer {alias}",
        {
            "id": found["customer"],
            "orders": found["orders"],
            "days with an order after the first": found["x"],
            "days from first to last / to now": f"{number(found['t_x'])} / {number(found['T'])}",
            "days between orders: mean": number(found["mean"]),
            "median": number(found["median"]),
            "deviation": number(found["sd"]),
            "last order": found["last"],
            "next due": found["next_due"],
            "R / F / M": " / ".join(UNDEFINED if score is None else str(score) for score in scores),
            "segment": found["segment"],
            "gross": money(found["gross_minor"], found.get("currency") or currency),
            "net": money(found["net_minor"], found.get("currency") or currency),
        },
    )


@app.command()
def rfm(
    ctx: typer.Context,
    as_of: AsOf = None,
    source: Source = None,
    currency: Currency = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show how the customers spread over recency, frequency and money scores, and over the segments."""
    found = ask(ctx, data, "/rfm", as_of=as_of, source=source, currency=currency)
    if as_json:
        print_json(found)
        return
    scores = ([score + 1, *(found[name][score] for name in ("r", "f", "m"))] for score in range(_SCORES))
    print_rows(f"Scores of {number(found['n'])} customers", ("score", "recency", "frequency", "money"), scores)
    by_size = sorted(found["segments"].items(), key=lambda segment: -segment[1])
    print_rows(
        "Segments", ("segment", "customers", "share"), ([*item, _share(item[1], found["n"])] for item in by_size)
    )


@app.command()
def intervals(
    ctx: typer.Context,
    product: Annotated[
        str | None, typer.Option("--product", metavar="CODE", help="Between purchases of this product only.")
    ] = None,
    category: Annotated[
        str | None, typer.Option("--category", metavar="NAME", help="Between purchases of products in this category.")
    ] = None,
    each_product: Annotated[
        bool, typer.Option("--each-product", help="Between purchases of each product for itself.")
    ] = False,
    fit_until: Annotated[
        str | None, typer.Option("--fit-until", metavar="DATE", help="Fit up to this day and test on what came after.")
    ] = None,
    as_of: AsOf = None,
    source: Source = None,
    currency: Currency = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show how many days lie between one purchase day of a customer and the next."""
    asked = {
        "product": product,
        "category": category,
        "each_product": "true" if each_product else None,
        "fit_until": fit_until,
    }
    found = ask(ctx, data, "/intervals", **asked, as_of=as_of, source=source, currency=currency)
    if as_json:
        print_json(found)
        return
    facts = {name: number(found[name]) for name in ("n", "mean", "median", "p90", "wheat_k")}
    facts |= {f"timing {name}": number(value) for name, value in found["timing"].items()}
    facts |= {f"backtest {name}": str(value) for name, value in (found.get("backtest") or {}).items()}
    print_facts("Days between purchases", {name.replace("_", " "): value for name, value in facts.items()})
    most = max((count for _, _, count in found["histogram"]), default=0)
    bars = ([f"{low} to {high}", count, "█" * round(_BAR * count / most)] for low, high, count in found["histogram"])
    print_rows("Histogram", ("days", "intervals", ""), bars)


def ask(ctx: typer.Context, data: Path | None, path: str, **params: str | None) -> Any:
    """Put a question to the API of analytics."""

    async def run(client: Client) -> Any:
        return await client.get(f"{_API}{path}", **params)

    return reach(ctx, data, run)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else UNDEFINED
