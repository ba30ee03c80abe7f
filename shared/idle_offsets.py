"""How far partitions are read that end with markers of transactions, which no page ever brings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, Final, Never

from aiokafka import TopicPartition

from shared.projections.generation import Generation
from shared.projections.progress import Batch
from shared.threads import in_thread

_EVERY: Final = 0.5


class IdleOffsets:
    """Writes the consumer's own offsets down beside the watermarks, while no page is on its way.

    Without it a partition that is read to its end would look as if records were still to come. FastStream polls
    again only when the page before is handled, so what was polled is applied while a poll is waiting.
    """

    def __init__(
        self,
        consumer: Any,
        generation: Generation,
        placed: Callable[[], Collection[TopicPartition]],
        moved: Callable[[], None],
    ) -> None:
        self._consumer = consumer
        self._generation = generation
        self._placed = placed
        self._moved = moved
        self._noted: dict[TopicPartition, int] = {}
        self._polling = False
        self._polls = 0
        self._poll = consumer.getmany
        consumer.getmany = self._watched

    async def run(self) -> Never:
        """Write down until cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            with suppress(Exception):  # it is a note; whatever is wrong is noticed where pages are applied
                await self._note(await self._offsets())

    async def _watched(self, *places: TopicPartition, **options: Any) -> Any:
        self._polling = True
        try:
            return await self._poll(*places, **options)
        finally:  # no other task has run since the client moved its positions
            self._polling = False
            self._polls += 1

    async def _offsets(self) -> dict[TopicPartition, int]:
        polls = self._polls
        if not self._polling:
            return {}
        offsets = {place: await self._consumer.position(place) for place in self._placed()}
        if polls != self._polls:
            return {}
        return {place: offset for place, offset in offsets.items() if offset > self._noted.get(place, 0)}

    async def _note(self, offsets: dict[TopicPartition, int]) -> None:
        if offsets:
            batches = [Batch(place.topic, place.partition, (), 0, offset) for place, offset in sorted(offsets.items())]
            await in_thread(self._generation.apply, batches)
            self._noted |= offsets
            self._moved()
