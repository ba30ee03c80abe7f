"""`rapport import`: orders, customers and products out of files."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from babel.numbers import get_currency_precision

from services.commands.batches import Sender
from services.commands.catching_up import catch_up
from services.commands.client import Client
from services.commands.failure import Failure
from services.commands.formats.baskets import BASKETS
from services.commands.formats.cdnow import CDNOW
from services.commands.formats.customers import CustomerCsv
from services.commands.formats.elog import ELOG
from services.commands.formats.online_retail import ONLINE_RETAIL
from services.commands.formats.orders import Money, OrderFile, OrderFormat
from services.commands.formats.products import product_baskets, product_csv
from services.commands.formats.records import BadFile, Product
from services.commands.formats.rows import RowFile
from services.commands.formats.vcard import CustomerVcards
from services.commands.importer import Importer
from services.commands.options import Data, Json, Progress, currency_code, reach, source_name
from services.commands.output import print_facts, print_json
from services.commands.progress import reporting
from services.commands.rejects import RejectsFile, default_path

app = typer.Typer(help="Bring in history from files; the same file twice changes nothing.", no_args_is_help=True)
_ORDER_FORMATS: dict[str, OrderFormat] = {layout.name: layout for layout in (ONLINE_RETAIL, CDNOW, ELOG, BASKETS)}
_CUSTOMER_FORMATS: dict[str, Callable[[Path], CustomerCsv | CustomerVcards]] = {
    "csv": CustomerCsv,
    "vcard": CustomerVcards,
}

_PRODUCT_FORMATS: dict[str, Callable[[Path], RowFile[Product]]] = {"csv": product_csv, "baskets": product_baskets}

File = Annotated[Path, typer.Argument(metavar="FILE", help="The file, plain or .gz, in UTF-8.", show_default=False)]
SourceName = Annotated[
    str | None,
    typer.Option(
        "--source",
        parser=source_name,
        metavar="NAME",
        help="Where the ids in the file come from; a customer is then NAME:id.  [default: the format's name]",
    ),
]
Rejects = Annotated[
    Path | None,
    typer.Option(
        "--rejects",
        metavar="PATH",
        help="Where rejected rows go with their reasons.  [default: FILE.rejects.csv in this folder]",
    ),
]


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise typer.BadParameter(f"{name!r} is not a time zone, such as Europe/London") from None


Timezone = Annotated[
    str | None,
    typer.Option(
        "--timezone",
        parser=_zone,
        metavar="ZONE",
        help="Zone of the file's local times.  [default: the format's, Europe/London or UTC]",
    ),
]
FileCurrency = Annotated[
    str | None,
    typer.Option(
        "--currency",
        parser=currency_code,
        metavar="CODE",
        help="Currency of the file's amounts.  [default: the format's, GBP or USD]",
    ),
]


@app.command("orders")
def import_orders(
    ctx: typer.Context,
    file: File,
    layout: Annotated[
        Literal["online-retail", "cdnow", "elog", "baskets"],
        typer.Option("--format", help="How the file is laid out."),
    ],
    source: SourceName = None,
    timezone: Timezone = None,
    currency: FileCurrency = None,
    rejects: Rejects = None,
    data: Data = None,
    as_json: Json = False,
    progress: Progress = None,
) -> None:
    """Import purchase history: orders, credit notes, and their customers by alias.

    Rows that cannot be imported go to a file with their reasons, the others are imported. Run it again after an
    interruption: what is already there counts as unchanged. Returns when every projection has the last event.

    Columns, found by name:

    * online-retail: invoice, stock_code, description, quantity, invoice_date, price, customer_id, country.

    * cdnow: customer_id, date, quantity, amount.

    * elog: customer (or cust), date. A row is an order of amount 0.

    * baskets: household_id, basket_id, ts, product_id, quantity, sales_value.
    """
    chosen = _ORDER_FORMATS[layout]
    code = currency or chosen.currency
    money = Money(ZoneInfo(timezone or chosen.timezone), code, get_currency_precision(code))
    try:
        with OrderFile(file, chosen, money) as opened:
            run = _Run(file, opened.header, source or layout, rejects, progress)
            done = run.through(ctx, data, lambda importer: importer.orders(opened, money))
    except BadFile as refusal:
        raise Failure(str(refusal)) from refusal
    _print(done, as_json)


@app.command("customers")
def import_customers(
    ctx: typer.Context,
    file: File,
    layout: Annotated[Literal["csv", "vcard"], typer.Option("--format", help="How the file is laid out.")],
    source: SourceName = None,
    rejects: Rejects = None,
    data: Data = None,
    as_json: Json = False,
    progress: Progress = None,
) -> None:
    """Import customers with their names and contact points.

    * csv: outside_id, and where known kind (individual, organisation, household), name, country, email, phone.

    * vcard: versions 3.0 and 4.0, any number of cards; the outside id is the UID.
    """
    try:
        with _CUSTOMER_FORMATS[layout](file) as opened:
            run = _Run(file, opened.header, source or layout, rejects, progress)
            done = run.through(ctx, data, lambda importer: importer.customers(opened))
    except BadFile as refusal:
        raise Failure(str(refusal)) from refusal
    _print(done, as_json)


@app.command("products")
def import_products(
    ctx: typer.Context,
    file: File,
    layout: Annotated[Literal["csv", "baskets"], typer.Option("--format", help="How the file is laid out.")],
    source: SourceName = None,
    rejects: Rejects = None,
    data: Data = None,
    as_json: Json = False,
    progress: Progress = None,
) -> None:
    """Import products with their categories. Name the source that the orders of these products came from.

    * csv: code, name, and where known category.

    * baskets: product_id, department, product_category, product_type.
    """
    try:
        with _PRODUCT_FORMATS[layout](file) as opened:
            run = _Run(file, opened.header, source or layout, rejects, progress)
            done = run.through(ctx, data, lambda importer: importer.products(opened))
    except BadFile as refusal:
        raise Failure(str(refusal)) from refusal
    _print(done, as_json)


class _Run:
    """One import from the command line: its file of rejects, its progress and its clock."""

    def __init__(
        self, file: Path, header: Sequence[str], source: str, rejects: Path | None, progress: bool | None
    ) -> None:
        self._header = header
        self._source = source
        self._rejects = (rejects or default_path(file)).absolute()
        self._progress = progress
        if self._rejects.exists() and self._rejects.samefile(file):
            raise Failure(f"--rejects: {self._rejects} is the file to import")

    def through(
        self, ctx: typer.Context, data: Path | None, work: Callable[[Importer], Awaitable[None]]
    ) -> dict[str, Any]:
        """Runs the import and gives the document that it prints."""
        began = time.monotonic()

        async def run(client: Client) -> dict[str, Any]:
            sender = Sender(client, self._source)
            importer = Importer(sender, rejects, report)
            await work(importer)
            await catch_up(client, sender.position, report)
            return asdict(importer.totals)

        with RejectsFile(self._rejects, self._header) as rejects, reporting(self._progress) as report:
            totals = reach(ctx, data, run, create=True)
        path = str(rejects.path) if rejects.path else None
        seconds = round(time.monotonic() - began, 3)
        rows = totals["accepted"] + totals["rejected"] + totals["unchanged"]
        return {"rows": rows, **totals, "rejects_file": path, "seconds": seconds}


def _print(done: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(done)
    else:
        print_facts("Imported", {name.replace("_", " "): value for name, value in done.items()})
