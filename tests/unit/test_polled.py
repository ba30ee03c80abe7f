from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from topics_kit import NOTED, OURS, as_record, draft

from shared.envelope import NO_STREAM, Recorded, link
from shared.polled import batch
from shared.polled_events import Reader
from shared.projections.progress import Mark, Source

STORE = UUID("0d9f0a2c-3f5c-4f6e-8f0e-6a1f6f6c2f11")
PLACE = TopicPartition("crm.trials.v1", 3)


@dataclass
class Applies:
    """A generation as far as polled records are concerned."""

    next_offset: int | None = None
    parked: list[tuple[int, str]] = field(default_factory=list)
    family: Any = field(default_factory=lambda: SimpleNamespace(types={OURS}))

    def marks(self) -> dict[Source, Mark]:
        return {} if self.next_offset is None else {tuple(PLACE): Mark(*PLACE, next_offset=self.next_offset)}

    def park_unreadable(self, topic: str, partition: int, offset: int, *, reason: str, **record: Any) -> None:
        assert (topic, partition) == PLACE
        self.parked.append((offset, reason))


def an_event(position: int, type_: str = OURS) -> Recorded:
    new = draft(position, type_)
    ((version, _, hash_),) = link("trials-7", NO_STREAM, [new])
    return Recorded(
        position, "trials-7", version, new.id, new.type, new.schema, new.subject, new.data, new.metadata, hash_
    )


def polled(first: int, *events: Recorded | None) -> Any:
    """A polled record batch; None stands for a record that cannot be read."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 20)
    for number, event in enumerate(events):
        if event is None:
            builder.append(number, None, b"k", b"v", [])
        else:
            record = as_record(event, STORE)
            builder.append(number, None, record.key, record.value, record.headers)
    whole = first.to_bytes(8, "big") + bytes(builder.build())[8:]
    return SimpleNamespace(value=whole, offset=first + len(events) - 1)


def taken(generation: Applies, *batches: Any) -> tuple[list[int], int, int]:
    found = batch(generation, Reader(STORE, {OURS}), PLACE, batches)  # type: ignore[arg-type]
    assert (found.topic, found.partition) == PLACE
    return [event.position for event in found.events], found.position, found.next_offset


def test_events_of_several_batches_are_one_page_that_goes_as_far_as_the_last():
    assert taken(Applies(), polled(40, an_event(5), an_event(7)), polled(43, an_event(9))) == ([5, 7, 9], 9, 44)


def test_types_that_nobody_reads_are_left_out_but_counted_in_how_far_it_went():
    assert taken(Applies(), polled(0, an_event(5), an_event(6, NOTED), an_event(7, NOTED))) == ([5], 7, 3)
    assert taken(Applies(), polled(0, an_event(6, NOTED))) == ([], 6, 1)


def test_what_was_sent_twice_is_taken_once():
    again = polled(0, an_event(5), an_event(6), an_event(5), an_event(6), an_event(8))
    assert taken(Applies(), again) == ([5, 6, 8], 8, 5)


def test_what_cannot_be_read_is_parked_by_its_offset():
    generation = Applies()
    assert taken(generation, polled(10, None, an_event(5), None)) == ([5], 5, 13)
    assert generation.parked == [
        (10, "a record without the header ce_type"),
        (12, "a record without the header ce_type"),
    ]


def test_what_stands_before_the_watermark_in_a_batch_that_came_whole_is_not_parked_again():
    generation = Applies(next_offset=12)
    assert taken(generation, polled(10, None, an_event(5), None)) == ([5], 5, 13)
    assert [offset for offset, _ in generation.parked] == [12]
