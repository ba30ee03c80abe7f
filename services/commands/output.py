"""What a command prints on stdout: one JSON document for scripts, tables for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.commands.failure import ReaderGone

UNDEFINED = "-"
"""What people see where a figure has no value."""
_PLAIN_WIDTH = 160


def print_json(document: Any) -> None:
    """One JSON document on one line."""
    try:
        sys.stdout.write(json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGone from None


def print_facts(title: str, facts: Mapping[str, Any]) -> None:
    """Names and values, one a row."""
    table = _table(("", ""), show_header=False)
    for name, value in facts.items():
        table.add_row(Text(name, style="cyan"), _text(value))
    _print(title, table)


def print_rows(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table; numbers stand to the right."""
    table = _table(columns)
    for row in rows:
        table.add_row(*(_text(value) for value in row))
    _print(title, table)


def print_line(line: str, style: str = "") -> None:
    """One line of text."""
    _console().print(Text(line, style=style), soft_wrap=True)


def money(minor: int | None, currency: str | None) -> str:
    """Minor units as people write them, e.g. `8,832,003.26 GBP`."""
    from babel.numbers import get_currency_precision  # noqa: PLC0415 - slow to load, and scripts never get here

    if minor is None:
        return UNDEFINED
    digits = get_currency_precision(currency) if currency else 2
    return f"{minor / 10**digits:,.{digits}f} {currency or ''}".rstrip()


def number(value: float | None, decimals: int = 2) -> str:
    """A number with separators; a dash for what is undefined."""
    return UNDEFINED if value is None else f"{value:,.{decimals}f}" if isinstance(value, float) else f"{value:,}"


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise ReaderGone


def _console() -> Console:
    # A pipe has no width of its own, and 80 columns would wrap ids.
    return _Console() if sys.stdout.isatty() else _Console(width=_PLAIN_WIDTH)


def _print(title: str, table: Table) -> None:
    # A table's own title is wrapped to the width of the table.
    _console().print(Text(title, style="bold"), table)


def _table(columns: Sequence[str], *, show_header: bool = True) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_header=show_header)
    for column in columns:
        table.add_column(column)
    return table


def _text(value: Any) -> Text:
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, int | float):
        return Text(number(value), justify="right")
    return Text(UNDEFINED if value is None else str(value))
