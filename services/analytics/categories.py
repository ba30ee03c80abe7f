"""Categories of products, as the portal's catalogue has them by now: what was bought is counted by category."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from services.portal.events import ProductCategorised
from shared.envelope import Recorded
from shared.projections import Document, Snapshot, Stream


@dataclass(frozen=True)
class Categorised:
    """A product of a source and the category it is in."""

    source: str = ""
    product: str = ""
    category: str = ""


categories = Document("product_categories", Categorised, key=Stream("stream"), indexes=("category",))


@categories.on(ProductCategorised)
def _(_row: Categorised, event: ProductCategorised, _at: Recorded) -> Categorised | None:
    return None if event.category is None else Categorised(event.source, event.code, event.category)


def every_category(db: Snapshot, limit: int) -> list[str]:
    """The categories that products are in, by name."""
    query = sa.select(categories.c.category).distinct().order_by(categories.c.category).limit(limit)
    return list(db.execute(query).scalars())


def members(db: Snapshot, category: str) -> frozenset[tuple[str, str]]:
    """Source and code of the products in a category."""
    c = categories.c
    rows = db.execute(sa.select(c.source, c.product).where(c.category == category))
    return frozenset((row.source, row.product) for row in rows)
