"""What the watermarks of a generation say that is fed from Kafka: one for each topic and partition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.envelope import Recorded
from shared.projections.feed import Lag, Marks, Written
from shared.projections.generation import Generation
from shared.projections.progress import STORE, Mark, Source
from shared.projections.snapshot import ready
from shared.topic_ends import TopicEnds
from shared.topics import PARTITIONS, partition, service_of, services_of, topic

_NONE: Final = Mark("", 0)


class KafkaFeed:
    """Generations that any number of processes feed from Kafka.

    A partition that is read to its end holds all that its relay has published, however long ago its last event was:
    an idle partition is not lag.
    """

    look_again = 0.05

    def __init__(self, ends: TopicEnds, prefix: str = "") -> None:
        self._ends = ends
        self._prefix = prefix

    def position(self, generation: Generation) -> int:
        """The lowest watermark of the partitions not at their end, else what the relays have published."""
        published, ends = self._ends.published, self._ends.ends
        marks = generation.marks()
        if STORE in marks:
            return ready(marks)
        reached = []
        for service, source in self._sources(generation):
            mark = marks.get(source, _NONE)
            at_end = mark.ready == mark.position and mark.next_offset >= ends.get(source, mark.next_offset + 1)
            reached.append(max(published.get(service, 0), mark.ready) if at_end else mark.ready)
        return min(reached)

    def holds(self, generation: Generation, written: Written) -> bool:
        """Whether the one partition that matters has got there."""
        marks = generation.marks()
        if STORE in marks:
            return ready(marks) >= written.position
        if written.topic not in {topic(service, self._prefix) for service in services_of(generation.family.types)}:
            return True
        return marks.get((written.topic, partition(written.subject)), _NONE).ready >= written.position

    def source(self, marks: Marks, event: Recorded) -> Source:
        """The event's own partition; the store, as long as a generation is built from there."""
        return STORE if STORE in marks else (topic(service_of(event.type), self._prefix), partition(event.subject))

    def applied(self, marks: Marks, event: Recorded) -> bool:
        """Whether that is past it."""
        return event.position <= marks.get(self.source(marks, event), _NONE).position

    def lag(self, generation: Generation, head: int) -> Lag:
        """The offsets in between, some of them markers of transactions, and one for whatever is not published yet."""
        marks = generation.marks()
        if STORE in marks:
            return Lag(max(0, head - ready(marks)), approximate=True)
        ends, published = self._ends.ends, self._ends.published
        behind = sum(
            max(0, ends.get(source, 0) - marks.get(source, _NONE).next_offset)
            for _, source in self._sources(generation)
        )
        unsettled = any(mark.ready < mark.position for mark in marks.values())
        relayed = min((published.get(service, 0) for service, _ in self._sources(generation)), default=head)
        return Lag(behind + (relayed < head or unsettled), approximate=True)

    def _sources(self, generation: Generation) -> Iterator[tuple[str, tuple[str, int]]]:
        for service in services_of(generation.family.types):
            for number in range(PARTITIONS):
                yield service, (topic(service, self._prefix), number)
