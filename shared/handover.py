"""Building a generation from the store and handing it over to Kafka, so that nothing is missed and nothing repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from shared.derived_refresh import refreshed
from shared.projections.generation import Generation
from shared.projections.progress import STORE, Batch, Mark, Source
from shared.store import EventStore

Ends = Callable[[], Awaitable[Mapping[Source, int]]]
"""Gives the offsets at which the partitions of the family's topics end now."""


async def build(generation: Generation, store: EventStore, ends: Ends) -> None:
    """Apply what the store holds, then stand where Kafka goes on; a generation that Kafka feeds already is left alone.

    The ends of the partitions are noted before the store is read: what lies before them is in the store already, and
    what comes after them is dropped as far as it was read here. Interrupted, it goes on from its watermark.
    """
    marks = await asyncio.to_thread(generation.marks)
    if marks and STORE not in marks:
        return
    offsets = await ends()
    position = marks[STORE].position if marks else 0
    async for page in store.pages(position, types=generation.family.types):
        await asyncio.to_thread(generation.apply, [Batch(*STORE, page.events, page.position, 0)])
        position = page.position
    await refreshed(generation)
    handed = [Mark(*source, position, offset, position) for source, offset in offsets.items()]
    await asyncio.to_thread(generation.hand_over, handed)
