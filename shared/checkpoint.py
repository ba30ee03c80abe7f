"""How far a relay has come: a record in a compacted topic, written in the transaction of the events before it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

_TAIL: Final = 1_000
"""Offsets before the end to look through first; nearly always the last checkpoint is among them."""


class Checkpoint(NamedTuple):
    """A position, and the store whose position it is."""

    store: str
    position: int


class _Stored(msgspec.Struct):
    store: str
    position: int


def packed(service: str, store: UUID, position: int) -> tuple[bytes, bytes]:
    """Key and value of a checkpoint record."""
    return service.encode(), msgspec.json.encode(_Stored(str(store), position))


async def last_checkpoint(bootstrap: str, topic: str) -> Checkpoint | None:
    """The last committed checkpoint, None in a topic that has none. Waits while a transaction there is open."""
    place = TopicPartition(topic, 0)
    # of all records: where the committed ones end lags behind the last commit for a moment
    async with reader(bootstrap, "read_uncommitted") as every:
        begin = (await every.beginning_offsets([place]))[place]
        end = (await every.end_offsets([place]))[place]
    if begin == end:
        return None
    async with reader(bootstrap, "read_committed") as consumer:
        consumer.assign([place])
        tail = max(begin, end - _TAIL)
        return await _last_between(consumer, place, tail, end) or await _last_between(consumer, place, begin, end)


def unpacked(content: bytes) -> Checkpoint:
    """The checkpoint of a record's value."""
    stored = msgspec.json.decode(content, type=_Stored)
    return Checkpoint(stored.store, stored.position)


@asynccontextmanager
async def reader(bootstrap: str, isolation: str) -> AsyncIterator[Any]:
    """A consumer outside every group."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level=isolation, enable_auto_commit=False)
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def _last_between(consumer: Any, place: TopicPartition, start: int, end: int) -> Checkpoint | None:
    last: bytes | None = None
    consumer.seek(place, start)  # never seek_to_beginning: a reset under way since assign() may overtake it
    while await consumer.position(place) < end:  # it also moves over the markers of transactions
        for found in (await consumer.getmany(place, timeout_ms=100)).get(place, ()):
            last = found.value
    return None if last is None else unpacked(last)
