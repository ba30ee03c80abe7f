"""Where the topics end: what every relay has published, and the last offset of every partition."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final, Never

from aiokafka import TopicPartition

from shared.backoff import Backoff, ending_of
from shared.checkpoint import Checkpoint, last_checkpoint, reader, unpacked
from shared.topics import PARTITIONS, checkpoints, create_topics, topic

_EVERY: Final = 0.5
"""Seconds between two looks."""
_ANSWER: Final = 3.0
"""Seconds. aiokafka waits for ever where it should raise."""
_START: Final = 20.0
_LONGEST_PAUSE: Final = 2.0


async def topic_ends(bootstrap: str, services: Sequence[str], prefix: str = "") -> Mapping[tuple[str, int], int]:
    """Where the partitions of these services' topics end now, open transactions included."""
    async with asyncio.timeout(_START):
        await create_topics(bootstrap, services, prefix=prefix)
        async with reader(bootstrap, "read_uncommitted") as every:
            ends = await every.end_offsets(_places(services, prefix))
    return {(place.topic, place.partition): end for place, end in ends.items()}


class TopicEnds:
    """Looks at the topics of services for as long as `run` is running.

    `published` says by service up to which position its events are in Kafka; `ends` says by topic and partition where
    it ended when that was already so. `failing` is what keeps it from looking.
    """

    def __init__(self, bootstrap: str, services: Sequence[str], prefix: str = "") -> None:
        self.published: Mapping[str, int] = {}
        self.ends: Mapping[tuple[str, int], int] = {}
        self.failing: str | None = "has not looked yet"
        self._bootstrap = bootstrap
        self._services = {TopicPartition(checkpoints(service, prefix), 0): service for service in services}
        self._prefix = prefix
        self._backoff = Backoff(longest=_LONGEST_PAUSE)

    async def run(self) -> Never:
        """Look until cancelled; a broker that is away is waited for."""
        while True:
            error = await ending_of(self._watch())
            told = "no answer in time" if isinstance(error, TimeoutError) else str(error)
            self.failing = f"{type(error).__name__}: {told}"
            await self._backoff.pause()

    async def probe(self) -> str | None:
        """What is wrong with Kafka, as health asks it."""
        return self.failing

    async def _watch(self) -> Never:
        services = list(self._services.values())
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(_START):
                await create_topics(self._bootstrap, services, prefix=self._prefix)
                every = await stack.enter_async_context(reader(self._bootstrap, "read_uncommitted"))
                committed = await stack.enter_async_context(reader(self._bootstrap, "read_committed"))
                published = await self._begin(every, committed)
            places = _places(services, self._prefix)
            while True:
                async with asyncio.timeout(_ANSWER):
                    published |= await self._new_checkpoints(committed)
                    # after the checkpoints: whatever they speak of lies before these ends. Of all records, because
                    # where the committed ones end lags behind the last commit for a moment.
                    ends = await every.end_offsets(places)
                self.ends = {(place.topic, place.partition): end for place, end in ends.items()}
                self.published = dict(published)
                self.failing = None
                self._backoff.reset()
                await asyncio.sleep(_EVERY)

    async def _begin(self, every: Any, committed: Any) -> dict[str, int]:
        places = list(self._services)
        ends = await every.end_offsets(places)
        last = await asyncio.gather(*(last_checkpoint(self._bootstrap, place.topic) for place in places))
        committed.assign(places)
        for place in places:
            committed.seek(place, ends[place])
        return {self._services[place]: _position(found) for place, found in zip(places, last, strict=True)}

    async def _new_checkpoints(self, committed: Any) -> dict[str, int]:
        found = await committed.getmany(timeout_ms=0)
        return {self._services[place]: unpacked(records[-1].value).position for place, records in found.items()}


def _position(checkpoint: Checkpoint | None) -> int:
    return checkpoint.position if checkpoint else 0


def _places(services: Sequence[str], prefix: str) -> list[TopicPartition]:
    return [TopicPartition(topic(service, prefix), number) for service in services for number in range(PARTITIONS)]
