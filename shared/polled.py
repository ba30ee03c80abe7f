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
from shared.projections.generation import Generation
from shared.projections.progress import Batch


def place_of(record: Any) -> TopicPartition:
    """The topic and partition a record was polled from."""
    return TopicPartition(record.topic, record.partition)


def batch(generation: Generation, store_id: UUID, place: TopicPartition, records: Sequence[Any]) -> Batch:
    """What was polled from one partition: the events that the family reads, and how far it went.

    A record of which no event can be made is parked at once; it stops nothing but what is keyed like it.
    """
    types = generation.family.types
    events: list[Recorded] = []
    reached = 0
    for record in records:
        try:
            if event_type(record) not in types:
                continue
            event = recorded(record, store_id)
        except UnreadableEvent as error:
            generation.park_unreadable(
                place.topic, place.partition, record.offset, key=record.key, reason=str(error), payload=record.value
            )
            continue
        if event.position > reached:  # a relay that starts over may send again what it has sent, even in one page
            events.append(event)
            reached = event.position
    last = records[-1]
    with suppress(UnreadableEvent):  # the last one says how far it went, also when it is of no interest
        reached = max(reached, recorded(last, store_id).position)
    return Batch(place.topic, place.partition, events, reached, last.offset + 1)
