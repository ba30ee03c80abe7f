"""What a relay publishes next: a service's events as record batches, made while those before are on their way."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from typing import Final, NamedTuple, TypeVar

from shared.cloudevents import records
from shared.envelope import Recorded
from shared.record_batch import RecordBatch, filled
from shared.store import PAGE_EVENTS, EventStore, Page
from shared.topics import partitions, type_prefix

T = TypeVar("T")

SAY_AGAIN: Final = 0.5
"""Seconds after which the position is given again, while nothing comes."""
EVENTS: Final = 5_000
"""In one chunk, and so in one transaction, which costs as much as to relay some hundred events."""
_BATCH_BYTES: Final = 1_000_000
"""Below the broker's default limit of 1 MiB, and above the largest event."""
_READ_AHEAD: Final = 0.05
"""Seconds a full page waits for the next, to share its transaction."""


class Chunk(NamedTuple):
    """Batches by partition, those of one partition in order, and the position up to which these are all events."""

    batches: Sequence[tuple[int, RecordBatch]]
    position: int


class Chunks:
    """The log of a store as a service's relay sees it."""

    def __init__(self, store: EventStore, service: str) -> None:
        self._store = store
        # by prefix, not by the types this program knows: a newer replica may already write types of its own
        self._ours = type_prefix(service)

    async def after(self, position: int) -> AsyncGenerator[Chunk]:
        """Chunk by chunk for ever; full pages are joined, nothing waits at the head.

        While nothing comes, the position is given again now and then.
        """
        # to read and build while Kafka answers: 1.25 times as many events a second
        async with aclosing(_ahead(self._built(position))) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _built(self, position: int) -> AsyncGenerator[Chunk]:
        async with aclosing(self._joined(position)) as pages:
            async for events, reached in pages:
                yield Chunk(await asyncio.to_thread(self._batches, events) if events else (), reached)

    def _batches(self, events: Sequence[Recorded]) -> list[tuple[int, RecordBatch]]:
        return batches(events, records(events, self._store.id))

    async def _joined(self, position: int) -> AsyncGenerator[tuple[list[Recorded], int]]:
        pages = self._store.follow(position)
        upcoming = asyncio.ensure_future(_next(pages))
        try:
            while True:
                if not (await asyncio.wait({upcoming}, timeout=SAY_AGAIN))[0]:
                    yield [], position
                    continue
                page = upcoming.result()
                upcoming = asyncio.ensure_future(_next(pages))
                events = self._of_service(page)
                while len(page.events) >= PAGE_EVENTS and len(events) < EVENTS:
                    if not (await asyncio.wait({upcoming}, timeout=_READ_AHEAD))[0]:
                        break
                    page = upcoming.result()
                    upcoming = asyncio.ensure_future(_next(pages))
                    events += self._of_service(page)
                position = page.position
                yield events, position
        finally:
            await _given_up(upcoming, pages)

    def _of_service(self, page: Page) -> list[Recorded]:
        return [event for event in page.events if event.type.startswith(self._ours)]


def batches(events: Sequence[Recorded], made: Iterable[bytes]) -> list[tuple[int, RecordBatch]]:
    """The records of events as batches by partition, those of one partition in order."""
    found: dict[int, list[bytes]] = defaultdict(list)
    for number, record in zip(partitions([event.subject.encode() for event in events]), made, strict=True):
        found[number].append(record)
    return [(number, batch) for number, some in found.items() for batch in filled(some, _BATCH_BYTES)]


async def _ahead(source: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """The same, each waited for while the one before is worked on."""
    upcoming = asyncio.ensure_future(_next(source))
    try:
        while True:
            item = await upcoming
            upcoming = asyncio.ensure_future(_next(source))
            yield item
    finally:
        await _given_up(upcoming, source)


async def _next(source: AsyncIterator[T]) -> T:
    return await anext(source)


async def _given_up(upcoming: asyncio.Task[T], source: AsyncIterator[T]) -> None:
    upcoming.cancel()
    await asyncio.gather(upcoming, return_exceptions=True)
    if isinstance(source, AsyncGenerator):
        await source.aclose()
