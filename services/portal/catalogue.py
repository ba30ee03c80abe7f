"""What is sold: the products with their list prices."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.portal.events import ProductCategorised, ProductDelisted, ProductListed, ProductPriced
from shared.envelope import Recorded
from shared.projections import Document, Family, Snapshot, Stream
from shared.web.cursors import Place


@dataclass(frozen=True)
class ProductRow:
    """A product as stored; `prices` are minor units by currency."""

    source: str = ""
    code: str = ""
    name: str = ""
    description: str | None = None
    offered: bool = False
    prices: dict[str, int] = field(default_factory=dict)
    version: int = -1
    category: str | None = None


products = Document("products", ProductRow, key=Stream("stream"), indexes=(("code", "stream"), "category"))


@products.on(ProductListed)
def _(row: ProductRow, event: ProductListed, at: Recorded) -> ProductRow:
    return replace(
        row,
        source=event.source,
        code=event.code,
        name=event.name,
        description=event.description,
        offered=True,
        version=at.version,
    )


@products.on(ProductCategorised)
def _(row: ProductRow, event: ProductCategorised, at: Recorded) -> ProductRow:
    return replace(row, category=event.category, version=at.version)


@products.on(ProductPriced)
def _(row: ProductRow, event: ProductPriced, at: Recorded) -> ProductRow:
    prices = {**row.prices, event.currency: event.amount_minor}
    return replace(row, prices=prices, version=at.version)


@products.on(ProductDelisted)
def _(row: ProductRow, _event: ProductDelisted, at: Recorded) -> ProductRow:
    return replace(row, offered=False, version=at.version)


family = Family("catalogue", version=2, tables=(products,))


@dataclass(frozen=True)
class ProductDetail:
    """A product of the catalogue; `prices` are minor units by currency."""

    id: UUID
    source: str
    code: str
    name: str
    description: str | None
    offered: bool
    prices: dict[str, int]
    version: int
    category: str | None


_ALL = sa.select(*products.c.columns.values())


def listed(
    db: Snapshot,
    *,
    offered: bool | None = None,
    category: str | None = None,
    behind: Place | None = None,
    limit: int = 50,
) -> tuple[list[ProductDetail], Place | None]:
    """Products by code, and where the next page begins; `offered` and `category` leave the others out."""
    query = _ALL
    if category is not None:
        query = query.where(products.c.category == category)
    if offered is not None:
        query = query.where(products.c.offered == offered)
    if behind is not None:
        query = query.where(sa.tuple_(products.c.code, products.c.stream) > sa.tuple_(*map(sa.literal, behind)))
    rows = db.execute(query.order_by(products.c.code, products.c.stream).limit(limit + 1)).all()
    page = rows[:limit]
    behind_last = Place(page[-1].code, page[-1].stream) if len(rows) > limit else None
    return [_detail(row) for row in page], behind_last


def found(db: Snapshot, product_id: UUID) -> ProductDetail | None:
    """One product, or None."""
    row = db.execute(_ALL.where(products.c.stream == f"product-{product_id}")).one_or_none()
    return None if row is None else _detail(row)


def _detail(row: sa.Row[Any]) -> ProductDetail:
    return ProductDetail(
        id=UUID(row.stream.removeprefix("product-")),
        source=row.source,
        code=row.code,
        name=row.name,
        description=row.description,
        offered=row.offered,
        prices=row.prices,
        version=row.version,
        category=row.category,
    )
