"""How far a relay has come: a record in a compacted topic, written in the transaction of the events before it."""

from __future__ import annotations

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
    """The last committed checkpoint, None in a topic that has none.

    Only right after the relay's producer has started: that settles the transaction of whoever relayed before, and
    until then the end of the committed records may lie before its last checkpoint.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False)
    try:
        await consumer.start()
        place = TopicPartition(topic, 0)
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        begin = (await consumer.beginning_offsets([place]))[place]
        tail = max(begin, end - _TAIL)
        return await _last_between(consumer, place, tail, end) or await _last_between(consumer, place, begin, end)
    finally:
        await consumer.stop()


async def _last_between(consumer: Any, place: TopicPartition, start: int, end: int) -> Checkpoint | None:
    last: bytes | None = None
    consumer.seek(place, start)  # never seek_to_beginning: a reset under way since assign() may overtake it
    while await consumer.position(place) < end:  # it also moves over the markers of transactions
        for found in (await consumer.getmany(place, timeout_ms=100)).get(place, ()):
            last = found.value
    if last is None:
        return None
    stored = msgspec.json.decode(last, type=_Stored)
    return Checkpoint(stored.store, stored.position)
