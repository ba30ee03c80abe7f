"""Customers as CSV: outside_id, and as far as known kind, name, country, email and phone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.commands.formats import cells
from services.commands.formats.records import Customer, Kind, Rejected
from services.commands.formats.rows import RowFile
from services.commands.formats.table import Table

REQUIRED = ("outside_id",)
"""The one column that a file must have."""
OPTIONAL = ("kind", "name", "country", "email", "phone")
"""The columns that are read where the file has them."""
KINDS: Final[tuple[Kind, ...]] = ("individual", "organisation", "household")
"""What a customer can be."""


class CustomerCsv(RowFile[Customer]):
    """A CSV file of customers, read once from front to end."""

    def __init__(self, path: Path) -> None:
        super().__init__(Table(path, REQUIRED, OPTIONAL), read)


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
