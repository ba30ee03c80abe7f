"""Events once more, for one subscriber: from the store into a topic of its own, never into a live one.

The records are those of the relay, with the id of the replay in a header besides. Each transaction is whole or not
there. An interrupted replay is not gone on with: the next one begins anew, under an id of its own.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced

from shared.checkpoint import reader
from shared.cloudevents import records
from shared.envelope import Recorded
from shared.errors import Conflict, Refused, Unreachable
from shared.record_batch import RecordBatch
from shared.relay import producing
from shared.relay_chunks import EVENTS, batches
from shared.store import EventStore
from shared.topics import PARTITIONS, WrongTopic, create_topic, type_prefix

_LIVE: Final = re.compile(r"crm\.[^.]+(\.relay)?\.v\d+\Z")
"""What the names of service topics and of their checkpoints end with, whatever the installation puts before them."""
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
_ANSWER: Final = 20.0
"""Seconds. aiokafka waits for ever where it should raise."""


@dataclass(frozen=True)
class Republishing:
    """Which events are to go where: those of a service from one position to another, both included."""

    service: str
    first: int
    last: int
    topic: str


def require_own(name: str) -> None:
    """Refuse what is not the name of a subscriber's own topic.

    Raises:
        Refused: it is that of a live topic, of Kafka's own, or of none.
    """
    if not _NAME.fullmatch(name) or name in {".", ".."}:
        raise Refused("must be 1 to 249 of a-z, A-Z, 0-9 and . _ -", field="topic")
    if _LIVE.search(name) or name.startswith("__"):
        raise Refused("is the name of a live topic: name one of the subscriber's own", field="topic")


async def prepare(bootstrap: str, name: str) -> bool:
    """Create the topic if it is missing; whether it holds anything already.

    Raises:
        Refused: it exists with another number of partitions.
        Unreachable: Kafka does not answer, or refuses.
    """
    require_own(name)
    places = [TopicPartition(name, number) for number in range(PARTITIONS)]
    try:
        async with asyncio.timeout(_ANSWER):
            await create_topic(bootstrap, name)
            async with reader(bootstrap, "read_uncommitted") as every:
                begins, ends = await every.beginning_offsets(places), await every.end_offsets(places)
    except WrongTopic as error:
        raise Refused(str(error), field="topic", kind="conflict") from None
    except (KafkaError, OSError) as error:  # a timeout is an OSError
        raise Unreachable(f"Kafka at {bootstrap} does not answer: {error!r}") from error
    return bool(begins != ends)


class Replay:
    """One replay; `published` counts the events that are in the topic for good."""

    def __init__(self, store: EventStore, bootstrap: str, wanted: Republishing, id_: UUID) -> None:
        self.published = 0
        self._store = store
        self._bootstrap = bootstrap
        self._wanted = wanted
        self._id = id_

    async def run(self) -> AsyncGenerator[int, None]:
        """Publish; gives the position up to which it is done, again and again.

        Raises:
            Conflict: another replay into this topic has begun.
            Unreachable: Kafka does not answer.
        """
        name = f"replay-{self._store.id}-{self._wanted.topic}"
        try:
            async with producing(self._bootstrap, name) as producer, aclosing(self._chunks()) as chunks:
                async for events, position in chunks:
                    if events:
                        await self._publish(producer, await asyncio.to_thread(self._batches, events))
                        self.published += len(events)
                    yield position
        except ProducerFenced as error:
            raise Conflict(f"another replay into {self._wanted.topic} has begun") from error
        except (KafkaError, OSError) as error:
            raise Unreachable(f"Kafka at {self._bootstrap} does not answer: {error!r}") from error

    async def _chunks(self) -> AsyncGenerator[tuple[Sequence[Recorded], int], None]:
        """The events of one transaction after the other, and the position up to which these are all."""
        ours: list[Recorded] = []
        position = 0
        async with aclosing(self._pages()) as pages:
            async for events, position in pages:
                ours += [event for event in events if event.type.startswith(type_prefix(self._wanted.service))]
                if len(ours) >= EVENTS:
                    yield ours, position
                    ours = []
        yield ours, position

    async def _pages(self) -> AsyncGenerator[tuple[Sequence[Recorded], int], None]:
        first, last = self._wanted.first, self._wanted.last
        # a server reads on from positions only that it has given
        begin = first - 1 if self._store.scan(0, 0) is not None else 0
        pages: AsyncIterator[Any] = self._store.pages(begin)
        async for page in pages:
            yield [event for event in page.events if first <= event.position <= last], min(page.position, last)
            if page.position >= last:
                return

    def _batches(self, events: Sequence[Recorded]) -> list[tuple[int, RecordBatch]]:
        return batches(events, records(events, self._store.id, self._id))

    async def _publish(self, producer: Any, some: Sequence[tuple[int, RecordBatch]]) -> None:
        async with asyncio.timeout(_ANSWER):
            await producer.begin_transaction()
            sent = [await producer.send_batch(batch, self._wanted.topic, partition=number) for number, batch in some]
            await asyncio.gather(*sent)
            await producer.commit_transaction()
