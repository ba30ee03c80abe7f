from collections.abc import Iterable
from uuid import UUID

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from topics_kit import OURS, as_record, draft

from shared.envelope import NO_STREAM, Recorded, link
from shared.errors import UnreadableEvent
from shared.polled_events import Polled, Reader
from shared.record_batch import Unpacked, unpacked

STORE = UUID("0d9f0a2c-3f5c-4f6e-8f0e-6a1f6f6c2f11")


def an_event(number: int = 1, **changes: object) -> Recorded:
    new = draft(number, OURS)
    ((version, _, hash_),) = link("trials-7", NO_STREAM, [new])
    event = Recorded(
        number, "trials-7", version, new.id, new.type, new.schema, new.subject, new.data, new.metadata, hash_
    )
    return event._replace(**changes)


def unread(event: Recorded, of: UUID = STORE, **headers: bytes | None) -> Unpacked:
    """The record of an event, with some of its headers changed or, by None, left out."""
    record = as_record(event, of)
    changed = dict(record.headers) | headers
    return packed(record.key, record.value, [(name, text) for name, text in changed.items() if text is not None])


def packed(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> Unpacked:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 20)
    builder.append(0, None, key, value, list(headers))
    (record,) = unpacked(bytes(builder.build()))
    return record


@pytest.fixture
def reader() -> Reader:
    """One that has seen an event like these before."""
    reader = Reader(STORE, [OURS])
    reader.event(unread(an_event(99)))
    return reader


def assert_stands_in(polled: Polled | None, event: Recorded) -> None:
    assert polled is not None
    assert tuple(getattr(polled, name) for name in Recorded._fields) == event
    assert polled._asdict() == event._asdict()
    assert (polled.uuid, polled.meta) == (event.uuid, event.meta)
    with pytest.raises(AttributeError):
        polled.colour  # noqa: B018, that it raises is what is asserted


def test_the_first_event_of_a_type_and_those_after_it_stand_in_for_what_was_recorded():
    reader = Reader(STORE, [OURS])
    for number in range(1, 30):
        event = an_event(number)
        assert_stands_in(reader.event(unread(event)), event)


def test_headers_in_another_order_are_read(reader: Reader):
    for number in range(1, 5):
        event = an_event(number)
        record = as_record(event, STORE)
        assert_stands_in(reader.event(packed(record.key, record.value, reversed(record.headers))), event)


def test_schemas_of_one_type_are_told_apart(reader: Reader):
    for schema in (1, 2, 12, 1):
        event = an_event(3, schema=schema)
        assert_stands_in(reader.event(unread(event)), event)


def test_types_with_long_names_are_read(reader: Reader):
    for length in (40, 80, 200):
        for schema in (1, 2):
            event = an_event(4, type=f"crm.trials.{'T' * length}", schema=schema)
            assert_stands_in(reader.event(unread(event)), event)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("position", b"many"),
        ("position", None),
        ("store", b"another"),
        ("ce_subject", b"customer-8"),
        ("ce_subject", None),
        ("ce_type", None),
        ("ce_dataschema", b"urn:rapport:crm.trials.Other:1"),
        ("ce_dataschema", None),
    ],
)
def test_what_a_fold_needs_must_be_right(reader: Reader, name: str, text: bytes | None):
    with pytest.raises(UnreadableEvent):
        reader.event(unread(an_event(), **{name: text}))


def test_an_event_of_another_store_is_refused(reader: Reader):
    with pytest.raises(UnreadableEvent, match="another store"):
        reader.event(unread(an_event(), of=UUID(int=0)))


def test_a_subject_that_is_no_text_is_refused(reader: Reader):
    record = as_record(an_event(), STORE)
    headers = dict(record.headers) | {"ce_subject": b"\xff"}
    with pytest.raises(UnreadableEvent, match="cannot be read"):
        reader.event(packed(b"\xff", b"{}", headers.items()))


@pytest.mark.parametrize(("key", "value"), [(None, b"{}"), (b"customer-7", None)])
def test_a_record_without_key_or_payload_is_refused(reader: Reader, key: bytes | None, value: bytes | None):
    with pytest.raises(UnreadableEvent, match="the key is not the subject, or there is no payload"):
        reader.event(packed(key, value, as_record(an_event(), STORE).headers))


@pytest.mark.parametrize("count", [0, 1, 8, 17, 18, 22, 40, 200])
def test_records_with_any_number_of_other_headers_are_refused(reader: Reader, count: int):
    with pytest.raises(UnreadableEvent, match="without the header"):
        reader.event(packed(b"k", b"v", [(f"name-{number}", b"x") for number in range(count)]))


@pytest.mark.parametrize(("name", "text"), [("version", b""), ("hash", b"zz"), ("ce_id", b"7"), ("actor", None)])
def test_what_is_read_later_is_refused_then_and_can_still_be_parked(reader: Reader, name: str, text: bytes | None):
    polled = reader.event(unread(an_event(5), **{name: text}))
    assert polled is not None
    assert polled.position == 5
    with pytest.raises(UnreadableEvent):
        polled.meta  # noqa: B018, that it raises is what is asserted
    event = an_event(5)
    empty = {"stream": "", "version": 0, "id": b"", "metadata": b"", "hash": b""}
    assert polled._asdict() == event._asdict() | empty
    assert polled.id == b""


def test_what_cannot_be_read_is_of_no_interest_if_its_type_is_not(reader: Reader):
    assert reader.event(packed(b"k", b"v", [("ce_type", b"crm.trials.Other")])) is None
    for type_ in (OURS.encode(), None):
        with pytest.raises(UnreadableEvent):
            reader.event(packed(b"k", b"v", [("ce_type", type_)]))


def test_headers_that_go_beyond_their_record_are_refused(reader: Reader):
    _, key, value, batch, at = unread(an_event())
    for end in range(at + 1, at + 200, 7):
        with pytest.raises(UnreadableEvent):
            Reader(STORE, [OURS]).event((0, key, value, batch[:end], at))
