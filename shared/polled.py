"""Polled Kafka records as what a generation applies."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from aiokafka import TopicPartition

from shared.cloudevents import event_type, recorded
from shared.envelope import Recorded
from shared.errors import UnreadableEvent
from shared.projections.generation import Batch, Generation


def place_of(record: Any) -> TopicPartition:
    """The topic and partition a record was polled from."""
    return TopicPartition(record.topic, record.partition)


def batch(generation: Generation, store_id: UUID, place: TopicPartition, records: Sequence[Any]) -> Batch:
    """What was polled from one partition: the events that the family reads, and how far it went.

    A record of which no event can be made is parked at once; it stops nothing but what is keyed like it.
    """
    types = generation.family.types
    events: list[Recorded] = []
    for record in records:
        try:
            if event_type(record) in types:
                events.append(recorded(record, store_id))
        except UnreadableEvent as error:
            generation.park_unreadable(
                place.topic, place.partition, record.offset, key=record.key, reason=str(error), payload=record.value
            )
    return Batch(place.topic, place.partition, events, _reached(events, records[-1], store_id), records[-1].offset + 1)


def _reached(events: Sequence[Recorded], last: Any, store_id: UUID) -> int:
    """The position of the last record, also when it is of no interest; 0 when nothing can be said."""
    with suppress(UnreadableEvent):
        return recorded(last, store_id).position
    return events[-1].position if events else 0
