"""Rows of a CSV file whose columns are found by name."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from services.commands.formats.records import BadFile, Rejected
from services.commands.formats.source import Source, decoded

MAX_ROWS = 100_000_000
"""How many rows one file may have."""


class Table:
    """A CSV file with a header; a missing column refuses it when it is opened, before any row is read.

    `also` has other names of columns, each with the name that it stands for.
    """

    def __init__(
        self,
        path: Path,
        required: Sequence[str],
        optional: Sequence[str] = (),
        also: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.path = path
        self.source = Source(path)
        self._row = 1
        try:
            self._records = csv.reader(self._text())
            self.header = self._next() or []
            self._places = self._find(required, optional, dict(also))
        except BaseException:
            self.source.__exit__(None, None, None)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.source.__exit__(kind, error, trace)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row as (number, cells); the header is row 1, as a spreadsheet counts; empty rows do not count.

        Raises:
            BadFile: When a row is not CSV or not UTF-8, or there are too many.
        """
        while (cells := self._next()) is not None:
            if self._row - 1 > MAX_ROWS:
                raise BadFile(f"{self.path}: has more than {MAX_ROWS:,} rows")
            yield self._row - 1, cells

    def pick(self, cells: Sequence[str]) -> list[str]:
        """The cells of the required, then of the optional columns ('' where there is no such column).

        Raises:
            Rejected: When the row has more or fewer cells than the header.
        """
        if len(cells) != len(self.header):
            raise Rejected(f"has {len(cells)} cells, the header has {len(self.header)}")
        return ["" if place is None else cells[place] for place in self._places]

    def _text(self) -> Iterator[str]:
        for line in self.source.lines():
            yield decoded(line, self.path, self._row)

    def _next(self) -> list[str] | None:
        try:
            cells = next((cells for cells in self._records if cells), None)
        except csv.Error as error:
            raise BadFile(f"{self.path}: row {self._row} is not CSV: {error}") from error
        self._row += 1
        return cells

    def _find(self, required: Sequence[str], optional: Sequence[str], also: dict[str, str]) -> list[int | None]:
        names = [_plain(also.get(_plain(name), name)) for name in self.header]
        missing = [name for name in required if _plain(name) not in names]
        if missing:
            raise BadFile(
                f"{self.path}: missing {_columns(missing)}; the header has: {', '.join(self.header) or 'nothing'}"
            )
        wanted = [*required, *optional]
        twice = [name for name in wanted if names.count(_plain(name)) > 1]
        if twice:
            raise BadFile(f"{self.path}: more than one {_columns(twice)}")
        return [names.index(_plain(name)) if _plain(name) in names else None for name in wanted]


def _plain(name: str) -> str:
    """`Customer ID`, `CustomerID` and `customer_id` are one column."""
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def _columns(names: Sequence[str]) -> str:
    return f"column {names[0]}" if len(names) == 1 else f"columns {', '.join(names)}"
