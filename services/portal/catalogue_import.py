"""Products of another system, many at once; the same ones again change nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated, Final
from uuid import uuid5

from pydantic import BaseModel, ConfigDict, Field

from services.portal.imports import Result, result
from services.portal.lines import Source
from services.portal.product import ImportProduct, product
from shared.decider import Context, Log, Outcome, handle
from shared.ids import imported
from shared.values import Code, Name

MAX_ITEMS: Final = 500
"""Products in one request."""

_STRICT: Final = ConfigDict(frozen=True, extra="forbid", strict=True)


class OutsideProduct(BaseModel):
    """A product as the other system knows it."""

    model_config = _STRICT

    code: Code
    name: Name
    category: Name | None = None


class Batch(BaseModel):
    """What one request brings."""

    model_config = _STRICT

    source: Source
    products: Annotated[tuple[OutsideProduct, ...], Field(max_length=MAX_ITEMS)]


async def take(log: Log, batch: Batch, context: Context) -> tuple[list[Result], Outcome | None]:
    """List the products of a batch, each on its own; the results in its order, and the outcome furthest in the log."""
    ends = await asyncio.gather(*(result(_take(log, batch.source, each, context)) for each in batch.products))
    outcomes = [outcome for _, outcome in ends if outcome is not None]
    return [told for told, _ in ends], max(outcomes, key=lambda outcome: outcome.position, default=None)


async def _take(log: Log, source: str, each: OutsideProduct, context: Context) -> Outcome:
    id_ = imported("product", source, each.code)
    command = ImportProduct(source=source, code=each.code, name=each.name, category=each.category)
    alone = replace(context, command_id=uuid5(context.command_id, str(id_)))
    return await handle(log, product, id_, command, context=alone)
