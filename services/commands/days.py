"""`rapport analytics days`: which business days were closed, and what that said."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from services.commands.insight import app, ask
from services.commands.options import Data, Json
from services.commands.output import UNDEFINED, print_json, print_rows

__all__ = ["app"]

_MOST = 400


@app.command()
def days(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, max=_MOST, help="How many, from the newest.")] = 35,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List the business days that were closed: customers, models in use, and how many events each published."""
    found = ask(ctx, data, "/days", limit=str(limit))
    if as_json:
        print_json(found)
        return
    columns = ("day", "closed at", "customers", "models in use", "events")
    print_rows("Closed days", columns, ([day["day"], day["recorded_at"], *_told(day)] for day in found))


def _told(day: dict[str, Any]) -> list[str]:
    currencies = day["currencies"]
    customers = (f"{currency['customers']:,} {currency['currency']}" for currency in currencies)
    models = dict.fromkeys(version for currency in currencies for version in currency["models"])
    events = (f"{count:,} {name}" for name, count in day["events"].items())
    return [", ".join(some) or UNDEFINED for some in (customers, models, events)]
