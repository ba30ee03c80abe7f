"""The relay: publishes a service's events from the store to its Kafka topic, in order, each in one transaction.

The checkpoint is a record in the same transaction as the events before it, so the topic and the checkpoint never
disagree. What a publish led to is known only when Kafka has confirmed it; after anything else the relay starts over
from the last checkpoint. Readers get every event at least once, in order per subject, whatever happens here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from enum import StrEnum
from typing import Any, Final, Never

import aiokafka.producer.sender
from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerFenced

from shared.backoff import Backoff, ending_of
from shared.checkpoint import last_checkpoint, packed
from shared.errors import RapportError
from shared.memory import keep_freed
from shared.record_batch import RecordBatch
from shared.relay_chunks import SAY_AGAIN, Chunks
from shared.store import EventStore
from shared.topics import WrongTopic, checkpoints, create_topics, topic

# Between transactions aiokafka waits this long for the one before to settle; its 20 ms would halve the throughput.
aiokafka.producer.sender.BACKOFF_OVERRIDE = 0.002

_SAVE_EVERY: Final = SAY_AGAIN
"""Seconds between checkpoints that stand behind other services' events only: they say that there is nothing to come."""
_ANSWER: Final = 20.0
"""Seconds. aiokafka waits for ever where it should raise, so every call is bounded here."""
_TRANSACTION: Final = 60.0
"""Seconds until Kafka itself gives a transaction up; longer than an answer may take."""
_CLOSING: Final = 5.0

_log = logging.getLogger(__name__)


class Fenced(RapportError):
    """Another relay has taken over this service's topic."""


class OtherStore(RapportError):
    """The topic holds what this store does not: it was filled from another one, or from a later state of it."""


class State(StrEnum):
    """What a relay is doing."""

    STARTING = "starting"
    RELAYING = "relaying"
    RETRYING = "retrying"
    FENCED = "fenced"
    REFUSED = "refused"
    STOPPED = "stopped"


class Relay:
    """Publishes one service's events for as long as `run` is running.

    `published` is the position up to which the service's events are in Kafka, `state` and `error` say how it goes.
    """

    def __init__(self, store: EventStore, bootstrap: str, service: str, *, prefix: str = "") -> None:
        self.service = service
        self.state = State.STARTING
        self.error: str | None = None
        self.published = 0
        self._store = store
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._topic = topic(service, prefix)
        self._checkpoints = checkpoints(service, prefix)
        self._chunks = Chunks(store, service)
        self._saved = 0
        self._backoff = Backoff()

    async def run(self) -> Never:
        """Relay for ever; what Kafka or the store cannot do now is tried again.

        Raises:
            Fenced: another relay took over; this one must not fight it.
            OtherStore: the topic was filled from another store.
            WrongTopic: the topic exists with another number of partitions.
        """
        keep_freed()
        try:
            while True:
                before = self.published
                error = await ending_of(self._relay())
                if isinstance(error, (Fenced, OtherStore, WrongTopic)):
                    self.state, self.error = State.FENCED if isinstance(error, Fenced) else State.REFUSED, str(error)
                    raise error
                self.state, self.error = State.RETRYING, repr(error)
                _log.warning("relay of %s: %r; trying again from the checkpoint", self.service, error)
                if self.published > before:
                    self._backoff.reset()
                await self._backoff.pause()
        except asyncio.CancelledError:
            self.state = State.STOPPED
            raise

    async def _relay(self) -> Never:
        async with asyncio.timeout(_ANSWER):
            await create_topics(self._bootstrap, [self.service], prefix=self._prefix)
        async with self._producer() as producer:
            # only now: starting has fenced every earlier relay, so the checkpoint can no longer move under us
            self.published = self._saved = await self._start_position()
            self.state, self.error = State.RELAYING, None
            saved_at = time.monotonic()
            async with aclosing(self._chunks.after(self.published)) as chunks:
                async for chunk in chunks:
                    due = chunk.position > self._saved and time.monotonic() - saved_at >= _SAVE_EVERY
                    if chunk.batches or due:
                        await self._publish(producer, chunk.batches, chunk.position)
                        self._saved, saved_at = chunk.position, time.monotonic()
                    self.published = chunk.position
        raise RapportError("the store ended its endless log")

    async def _start_position(self) -> int:
        async with asyncio.timeout(_ANSWER):
            checkpoint = await last_checkpoint(self._bootstrap, self._checkpoints)
        if checkpoint is None:
            return 0
        if checkpoint.store != str(self._store.id):
            raise OtherStore(
                f"{self._topic} was filled from the store {checkpoint.store}, this one is {self._store.id}:"
                " use a topic prefix of its own, or delete the topics"
            )
        head = await self._store.position()
        if checkpoint.position > head:
            raise OtherStore(
                f"{self._topic} holds events up to {checkpoint.position}, the store ends at {head}:"
                " was it restored from a backup? Use a new topic prefix"
            )
        return checkpoint.position

    async def _publish(self, producer: Any, batches: Sequence[tuple[int, RecordBatch]], position: int) -> None:
        """All of it and the checkpoint, or nothing."""
        begun = time.monotonic()
        try:
            async with asyncio.timeout(_ANSWER):
                await producer.begin_transaction()
                sent = [await producer.send_batch(batch, self._topic, partition=number) for number, batch in batches]
                key, content = packed(self.service, self._store.id, position)
                sent.append(await producer.send(self._checkpoints, content, key=key, partition=0))
                await asyncio.gather(*sent)
                await producer.commit_transaction()
        except ProducerFenced as error:
            if time.monotonic() - begun >= _TRANSACTION:  # we were stopped for so long that Kafka gave us up
                raise
            raise Fenced(f"another relay publishes to {self._topic} now") from error

    def _producer(self) -> AbstractAsyncContextManager[Any]:
        return producing(self._bootstrap, f"relay-{self._store.id}-{self.service}")


@asynccontextmanager
async def producing(bootstrap: str, name: str) -> AsyncIterator[Any]:
    """A producer of transactions. Starting it fences every other one of this name."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        transactional_id=name,
        transaction_timeout_ms=int(_TRANSACTION * 1000),
        acks="all",
        linger_ms=0,
    )
    try:
        async with asyncio.timeout(_ANSWER):
            await producer.start()
        yield producer
    finally:
        await _close(producer)


async def _close(producer: Any) -> None:
    """Let go of a producer, also of one that hangs."""
    try:
        async with asyncio.timeout(_CLOSING):
            await producer.stop()
    except Exception as error:  # noqa: BLE001, it is given up either way; its successor fences it
        _log.debug("closing a producer: %r", error)
        if producer._sender.sender_task is not None:  # noqa: SLF001, stop() waits for ever while a broker is away
            producer._sender.sender_task.cancel()  # noqa: SLF001
        await producer.client.close()
