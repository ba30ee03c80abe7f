"""Customers as CSV: outside_id, and as far as known kind, name, country, email and phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from services.commands.formats import cells
from services.commands.formats.records import Customer, CustomerBatch, Kind, Reject, Rejected
from services.commands.formats.table import Table

REQUIRED = ("outside_id",)
"""The one column that a file must have."""
OPTIONAL = ("kind", "name", "country", "email", "phone")
"""The columns that are read where the file has them."""
KINDS: Final[tuple[Kind, ...]] = ("individual", "organisation", "household")
"""What a customer can be."""
BATCH = 500
"""How many customers are sent together at most."""


class CustomerCsv:
    """A CSV file of customers, read once from front to end."""

    def __init__(self, path: Path) -> None:
        self._table = Table(path, REQUIRED, OPTIONAL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._table.__exit__(kind, error, trace)

    @property
    def header(self) -> list[str]:
        """The file's own columns."""
        return self._table.header

    @property
    def size(self) -> int:
        """The file's size on disk in bytes."""
        return self._table.source.size

    @property
    def done(self) -> int:
        """Bytes on disk that are read so far."""
        return self._table.source.done

    def batches(self) -> Iterator[CustomerBatch]:
        """The customers in the file's order, up to 500 rows at a time.

        Raises:
            BadFile: When the file cannot be read further; rerunning the mended file is safe.
        """
        batch = CustomerBatch()
        for row, given in self._table.rows():
            try:
                batch.add(read(self._table.pick(given)), row, given)
            except Rejected as reason:
                batch.rejects.append(Reject(row, given, str(reason)))
            if len(batch) == BATCH:
                yield batch
                batch = CustomerBatch()
        if len(batch):
            yield batch


def read(row: list[str]) -> Customer:
    """One row as a customer; whether a country, address or number is right is for contacts to say.

    Raises:
        Rejected: When there is no outside_id, or a value does not read.
    """
    outside_id, kind, name, country, email, phone = row
    if not outside_id.strip():
        raise Rejected("outside_id: empty")
    wanted = kind.strip().lower()
    if wanted and wanted not in KINDS:
        raise Rejected(f"kind: {cells.shown(kind)} is not one of {', '.join(KINDS)}")
    return Customer(
        outside_id=cells.customer_id(outside_id, "outside_id"),
        kind=wanted or None,
        name=cells.text(name, "name"),
        country=cells.country(country, "country"),
        email=cells.text(email, "email"),
        phone=cells.text(phone, "phone"),
    )
