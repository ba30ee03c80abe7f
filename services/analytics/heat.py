"""Heat: a table whose cells are the stronger coloured the larger their share; each cell opens to what is behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STRONGEST: Final = 9


@dataclass(frozen=True)
class Cell:
    """A figure in a heat table.

    Attributes:
        text: As it is written.
        level: How strong its colour is, 0 to STRONGEST.
        tip: What it says in words.
        href: What is behind it; None where there is nothing.
        open: Whether it can still grow.
    """

    text: str
    level: int
    tip: str
    href: str | None = None
    open: bool = False


@dataclass(frozen=True)
class Row:
    """A row: its name, plain figures, and cells; None is a place that was not observed, which is not nothing."""

    name: str
    facts: tuple[str, ...]
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Heat:
    """A table under its message; `heads` of its columns come before the cells."""

    title: str
    note: str | None
    columns: tuple[str, ...]
    heads: int
    rows: tuple[Row, ...]


def level(share: float, largest: float) -> int:
    """How strong a share is drawn beside the largest one."""
    return round(STRONGEST * share / largest) if largest > 0 else 0
