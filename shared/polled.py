"""Polled Kafka records as what a generation applies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from aiokafka import ConsumerRebalanceListener, TopicPartition

from shared.envelope import Recorded
from shared.errors import UnreadableEvent
from shared.polled_events import Polled, Reader
from shared.projections.generation import Generation
from shared.projections.progress import Batch
from shared.record_batch import Unpacked, unpacked


def place_of(record: Any) -> TopicPartition:
    """The topic and partition a record was polled from."""
    return TopicPartition(record.topic, record.partition)


class Assignments(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Tells which partitions came and that they go."""

    def __init__(self, assigned: Callable[[set[TopicPartition]], Any], revoked: Callable[[], None]) -> None:
        self._assigned = assigned
        self._revoked = revoked

    async def on_partitions_revoked(self, _revoked: set[TopicPartition]) -> None:
        """They go."""
        self._revoked()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """They have come."""
        await self._assigned(assigned)


async def undecoded(message: Any) -> Any:
    """Leave a message to FastStream as it is."""
    return message


def batch(generation: Generation, reader: Reader, place: TopicPartition, polled: Sequence[Any]) -> Batch:
    """What was polled from one partition, record batch by record batch: the events that the family reads.

    A record of which no event can be made is parked at once; it stops nothing but what is keyed like it.
    """
    types = generation.family.types
    events: list[Polled] = []
    reached = 0  # also by events of no interest
    for whole in polled:
        for record in unpacked(whole.value):
            try:
                event = reader.event(record)
            except UnreadableEvent as error:
                _park(generation, place, record, error)
                continue
            if (
                event is not None and event.position > reached
            ):  # a relay that starts over may send again what it has sent
                reached = event.position
                if event.type in types:
                    events.append(event)
    return Batch(place.topic, place.partition, cast("Sequence[Recorded]", events), reached, polled[-1].offset + 1)


def _park(generation: Generation, place: TopicPartition, record: Unpacked, error: UnreadableEvent) -> None:
    offset, key, value, *_ = record
    mark = generation.marks().get((place.topic, place.partition))
    if mark is not None and offset < mark.next_offset:  # its batch came whole; somebody may have dealt with it since
        return
    generation.park_unreadable(place.topic, place.partition, offset, key=key, reason=str(error), payload=value)
