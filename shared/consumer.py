"""Keeping a generation up with Kafka: FastStream fetches, this runner decides.

The truth is the watermark that stands in the read model: a partition starts where it says, whenever it is assigned
and after any error, and what is at or below it is dropped. The group's committed offset is a hint for lag monitors.
No exception leaves the handler, because FastStream would then lose the page or redeliver it in a hot loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any, Final, Never
from uuid import UUID

from aiokafka import TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage
from faststream.message import AckStatus
from faststream.middlewares import AckPolicy

from shared.backoff import Backoff, ending_of
from shared.derived_refresh import DerivedRefresh
from shared.errors import RapportError
from shared.idle_offsets import IdleOffsets
from shared.polled import Assignments, batch, place_of, undecoded
from shared.polled_events import Reader
from shared.projections.generation import Generation
from shared.projections.page import Poisoned
from shared.projections.progress import Mark, Source
from shared.threads import in_thread
from shared.topics import create_topics, services_of, topic
from shared.whole_batches import whole_batches

_PAGE_BYTES: Final = 16 * 1024 * 1024
"""What one fetch brings at most, and one transaction applies. Behind the head that is about half a second's work, and
as much is fetched meanwhile; at the head it is what there is, at once."""
_PARTITION_BYTES: Final = 4 * 1024 * 1024
_MUCH: Final = 1024 * 1024
"""Bytes in a page that tell of a backlog: derived tables then wait, to be refreshed once for many pages."""
_POLL_MS: Final = 20
"""FastStream sleeps this long when there was nothing, so it is what an event waits at most."""
_SESSION_MS: Final = 10_000
_HEARTBEAT_MS: Final = 1_000
_ANSWER: Final = 60.0
"""Seconds. aiokafka waits for ever where it should raise, so starting and committing are bounded here."""
_STOPPING: Final = 3.0

_log = logging.getLogger(__name__)
_faststream_log = logging.getLogger(f"{__name__}.faststream")
_faststream_log.setLevel(logging.ERROR)  # it writes two lines a page otherwise


class KafkaFollower:
    """One generation behind the topics of all services whose events its family reads.

    Members of a group share the partitions; each has an `instance` name of its own that survives its restarts, so
    that a restart moves no partition. `prepare` is awaited before the first record, `moved` is called when the read
    model has changed.
    """

    def __init__(
        self,
        generation: Generation,
        store_id: UUID,
        bootstrap: str,
        *,
        group: str,
        instance: str,
        prefix: str = "",
        prepare: Callable[[], Awaitable[None]] | None = None,
        moved: Callable[[], None] = lambda: None,
    ) -> None:
        self.generation = generation
        self._failing: str | None = "has not begun"
        self._reader = Reader(store_id, generation.family.types)
        self._bootstrap = bootstrap
        self._group = group
        self._instance = instance
        self._prefix = prefix
        self._prepare = prepare
        self._moved = moved
        self._services = services_of(generation.family.types)
        self._subscriber: Any = None
        self._placed: set[TopicPartition] = set()
        self._backoff = Backoff()
        self._derived = DerivedRefresh(generation, moved)
        self._poisoned: asyncio.Future[Never] | None = None
        self._hints: dict[TopicPartition, int] = {}
        self._hinting: asyncio.Task[None] | None = None

    @property
    def reached(self) -> int:
        """How far the log was folded: never further than what is written."""
        return 0

    @property
    def failing(self) -> str | None:
        """What keeps it from going on."""
        return self._failing or self._derived.failing

    async def run(self) -> Never:
        """Follow until cancelled; a broker or a database that is away is waited for.

        Raises:
            Poisoned: an event cannot be applied, and the generation is one that this stops.
        """
        while True:
            error = await ending_of(self._consume())
            if isinstance(error, Poisoned):
                raise error
            await self._wait_after(error)

    async def _consume(self) -> Never:
        async with asyncio.timeout(_ANSWER):
            # before subscribing: a broker that creates topics by itself would do so with too few partitions
            await create_topics(self._bootstrap, self._services, prefix=self._prefix)
        if self._prepare is not None:
            await self._prepare()
        broker = KafkaBroker(
            self._bootstrap,
            consumer_only=True,
            apply_types=False,
            logger=_faststream_log,
            log_level=logging.DEBUG,
        )
        self._subscriber = broker.subscriber(
            *(topic(service, self._prefix) for service in self._services),
            group_id=self._group,
            group_instance_id=self._instance,
            partition_assignment_strategy=[RangePartitionAssignor],
            listener=Assignments(self._assigned, self._revoked),
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            session_timeout_ms=_SESSION_MS,
            heartbeat_interval_ms=_HEARTBEAT_MS,
            batch=True,
            fetch_max_bytes=_PAGE_BYTES,
            max_partition_fetch_bytes=_PARTITION_BYTES,
            batch_timeout_ms=_POLL_MS,
            max_workers=1,
            ack_policy=AckPolicy.NACK_ON_ERROR,
            parser=self._unparsed,
            decoder=undecoded,
            no_reply=True,
        )
        self._subscriber(self._page)
        try:
            async with asyncio.timeout(_ANSWER):
                with whole_batches():
                    await broker.start()
            self._failing = None
            idle = IdleOffsets(self._subscriber.consumer, self.generation, lambda: self._placed, self._moved)
            self._poisoned = asyncio.get_running_loop().create_future()
            await asyncio.gather(self._derived.run(), idle.run(), self._poisoned)
            raise RapportError("what never ends has ended")
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOPPING):
                    await broker.stop()

    async def _unparsed(self, records: Any) -> KafkaAckableMessage:
        """A message around the raw records; FastStream's own parser draws random ids for each of them."""
        return KafkaAckableMessage(records, b"", message_id="-", correlation_id="-", consumer=self._subscriber.consumer)

    async def _page(self, message: KafkaAckableMessage) -> None:
        """Apply what was polled, or wait and go back to the watermarks."""
        try:
            pages = await self._current(message.raw_message)
            await in_thread(self._apply, pages)
        except Exception as error:  # noqa: BLE001, outside, FastStream would decide what becomes of the page
            if isinstance(error, Poisoned) and self._poisoned and not self._poisoned.done():
                self._poisoned.set_exception(error)
            await self._wait_after(error)
            await self._go_to_watermarks(self._placed)
        else:
            self._backoff.reset()
            self._derived.behind = sum(len(record.value) for polled in pages.values() for record in polled) >= _MUCH
            self._hint({place: records[-1].offset + 1 for place, records in pages.items()})
        self._failing = None
        self._derived.applied()  # after an error too: a commit may have happened without its confirmation
        self._moved()
        message.committed = AckStatus.ACKED  # the hint is our acknowledgement; FastStream would wait for its own
        message.clear_cache()  # it holds itself in there, and all its records until the collector comes around

    async def _current(self, records: Iterable[Any]) -> dict[TopicPartition, list[Any]]:
        """The records by partition, without those polled before their partition was placed at its watermark."""
        consumer = self._subscriber.consumer
        current: dict[TopicPartition, list[Any]] = {}
        for place, some in groupby(records, key=place_of):
            polled = list(some)
            with suppress(IllegalStateError):  # it has just been taken away
                if place in self._placed and await consumer.position(place) > polled[-1].offset:
                    current[place] = polled
        return current

    def _apply(self, pages: dict[TopicPartition, list[Any]]) -> None:
        self.generation.apply([batch(self.generation, self._reader, place, polled) for place, polled in pages.items()])

    async def _assigned(self, places: set[TopicPartition]) -> None:
        await self._go_to_watermarks(places)
        self._placed = set(places)

    def _revoked(self) -> None:
        self._placed = set()
        self._hints.clear()

    async def _go_to_watermarks(self, places: Iterable[TopicPartition]) -> None:
        """Have the partitions polled from where the read model stands; without it, nothing could be applied anyway."""
        marks = await self._marks(sorted((place.topic, place.partition) for place in places))
        for place in places:
            mark = marks.get((place.topic, place.partition))
            with suppress(IllegalStateError):  # it has been taken away meanwhile
                self._subscriber.consumer.seek(place, mark.next_offset if mark else 0)

    async def _marks(self, places: Sequence[Source]) -> dict[Source, Mark]:
        while True:
            try:
                await asyncio.to_thread(self.generation.begin, places)
                return await asyncio.to_thread(self.generation.marks)
            except Exception as error:  # noqa: BLE001, there is no other way on than through the watermarks
                await self._wait_after(error)

    async def _wait_after(self, error: Exception) -> None:
        self._failing = f"{type(error).__name__}: {error}"
        _log.warning("%s waits after %r", self.generation.family.name, error)
        await self._backoff.pause()

    def _hint(self, offsets: dict[TopicPartition, int]) -> None:
        """Tell the group how far we are, one commit at a time, and wait for none."""
        self._hints |= offsets
        if self._hinting is None or self._hinting.done():
            self._hinting = asyncio.create_task(self._commit(self._hints))
            self._hints = {}

    async def _commit(self, offsets: dict[TopicPartition, int]) -> None:
        with suppress(Exception):
            async with asyncio.timeout(_ANSWER):
                await self._subscriber.consumer.commit(offsets)
