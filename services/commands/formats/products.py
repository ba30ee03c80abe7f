"""Products of another system with their categories: a plain list, or the products of the Complete Journey."""

from __future__ import annotations

from pathlib import Path

from services.commands.formats import cells
from services.commands.formats.records import Product
from services.commands.formats.rows import RowFile
from services.commands.formats.table import Table

CSV = ("code", "name")
"""The columns that a plain list must have; `category` is read where it is there."""
BASKETS = ("product_id", "department", "product_category", "product_type")
"""The columns that a file of the Complete Journey must have."""


def product_csv(path: Path) -> RowFile[Product]:
    """A CSV file of products."""
    return RowFile(Table(path, CSV, ("category",)), read)


def product_baskets(path: Path) -> RowFile[Product]:
    """The products of the Complete Journey: named by their type, in their category, or else in their department."""
    return RowFile(Table(path, BASKETS), read_basket)


def read(row: list[str]) -> Product:
    """One row as a product; one without a name is called by its code.

    Raises:
        Rejected: When there is no code, or a value does not read.
    """
    code, name, category = row
    given = cells.code(code, "code")
    return Product(code=given, name=cells.text(name, "name") or given, category=cells.text(category, "category"))


def read_basket(row: list[str]) -> Product:
    """One row of the Complete Journey as a product.

    Raises:
        Rejected: When there is no product_id, or a value does not read.
    """
    product_id, department, category, kind = row
    code = cells.code(product_id, "product_id")
    found = cells.text(category, "product_category") or cells.text(department, "department")
    return Product(code=code, name=cells.text(kind, "product_type") or found or code, category=found)
