import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from hypothesis import given
from hypothesis import strategies as st
from topics_kit import as_record

from shared import cloudevents
from shared.envelope import NO_STREAM, Draft, Metadata, Recorded, link, pack
from shared.errors import UnreadableEvent

STORE = UUID("0d9f0a2c-3f5c-4f6e-8f0e-6a1f6f6c2f11")
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
OPTIONAL = st.none() | TEXT


@dataclass(frozen=True)
class Consumed:
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


@st.composite
def recordings(draw: st.DrawFn) -> list[Recorded]:
    """One stream as the store keeps it."""
    drafts = [
        Draft(
            id=draw(st.uuids()).bytes,
            type=draw(st.sampled_from(["crm.contacts.CustomerRegistered", "crm.portal.OrderPlaced"])),
            schema=draw(st.integers(1, 99)),
            subject=subject,
            data=draw(st.binary()),
            metadata=pack(draw(st.builds(Metadata, subject=st.just(subject), **METADATA))),
        )
        for subject in draw(st.lists(TEXT, max_size=5))
    ]
    stream, position = draw(TEXT), draw(st.integers(1, 2**53))
    return [
        Recorded(
            position + version,
            stream,
            version,
            new.id,
            new.type,
            new.schema,
            new.subject,
            new.data,
            new.metadata,
            hash_,
        )
        for version, new, hash_ in link(stream, NO_STREAM, drafts)
    ]


METADATA = dict.fromkeys(["actor", "command_id", "command_hash", "occurred_at", "recorded_at"], TEXT) | dict.fromkeys(
    ["correlation_id", "causation_id", "on_behalf_of", "traceparent"], OPTIONAL
)


def consumed(recorded: Recorded) -> Consumed:
    record = as_record(recorded, STORE)
    return Consumed(record.key, record.value, tuple(record.headers))


@given(st.lists(recordings(), max_size=3))
def test_records_made_together_are_those_made_one_by_one(streams: list[list[Recorded]]):
    events = [event for stream in streams for event in stream]
    together = list(cloudevents.records(events, STORE))
    assert together == [record for event in events for record in cloudevents.records([event], STORE)]


@given(recordings())
def test_what_comes_out_of_a_topic_is_what_was_stored_and_its_hashes_chain(events: list[Recorded]):
    read = [cloudevents.recorded(consumed(event), STORE) for event in events]
    assert read == events
    rechained = link(read[0].stream, NO_STREAM, [Draft(*event[3:9]) for event in read]) if read else []
    assert [hash_ for _, _, hash_ in rechained] == [event.hash for event in read]


def an_event(**changes: object) -> Recorded:
    metadata = Metadata(
        subject="customer-7",
        actor="staff:zoë",
        command_id="5b0a3a6e-58d3-4a35-8c54-d2b8b6a3f6f1",
        command_hash="ab" * 32,
        occurred_at="2025-03-01T09:30:00.000000Z",
        recorded_at="2025-03-01T09:30:01.250000Z",
        correlation_id="5b0a3a6e-58d3-4a35-8c54-d2b8b6a3f6f1",
    )
    event = Recorded(
        position=42,
        stream="order-9",
        version=3,
        id=UUID("c7a3cf7c-6d05-5f7c-9a3f-7f2a2d8b2a10").bytes,
        type="crm.portal.OrderPlaced",
        schema=2,
        subject="customer-7",
        data=b'{"total_minor":695}',
        metadata=pack(metadata),
        hash=bytes(range(32)),
    )
    return event._replace(**changes)


def test_the_headers_are_those_of_the_contract():
    record = as_record(an_event(), STORE)
    assert {name: content.decode() for name, content in record.headers} == {
        "ce_specversion": "1.0",
        "ce_id": "c7a3cf7c-6d05-5f7c-9a3f-7f2a2d8b2a10",
        "ce_source": "/crm/portal",
        "ce_type": "crm.portal.OrderPlaced",
        "ce_subject": "customer-7",
        "ce_time": "2025-03-01T09:30:00.000000Z",
        "ce_dataschema": "urn:rapport:crm.portal.OrderPlaced:2",
        "ce_partitionkey": "customer-7",
        "content-type": "application/json",
        "store": str(STORE),
        "position": "42",
        "stream": "order-9",
        "version": "3",
        "hash": bytes(range(32)).hex(),
        "recordedtime": "2025-03-01T09:30:01.250000Z",
        "actor": "staff:zoë",
        "commandid": "5b0a3a6e-58d3-4a35-8c54-d2b8b6a3f6f1",
        "commandhash": "ab" * 32,
        "correlationid": "5b0a3a6e-58d3-4a35-8c54-d2b8b6a3f6f1",
    }


def test_the_reference_implementation_of_cloudevents_reads_a_record():
    record = as_record(an_event(), STORE)
    event = from_binary_event(KafkaMessage(dict(record.headers), record.key, record.value))
    assert event.get_specversion() == "1.0"
    assert event.get_id() == "c7a3cf7c-6d05-5f7c-9a3f-7f2a2d8b2a10"
    assert event.get_source() == "/crm/portal"
    assert event.get_type() == "crm.portal.OrderPlaced"
    assert event.get_subject() == "customer-7"
    assert event.get_time() == datetime.fromisoformat("2025-03-01T09:30:00+00:00")
    assert event.get_dataschema() == "urn:rapport:crm.portal.OrderPlaced:2"
    assert event.get_datacontenttype() == "application/json"
    assert event.get_extension("partitionkey") == "customer-7"
    assert event.get_data() == json.loads(record.value)


def test_more_events_than_are_put_together_at_once_keep_their_order():
    events = [an_event(position=number) for number in range(1, 1_200)]
    assert list(cloudevents.records(events, STORE)) == [next(cloudevents.records([event], STORE)) for event in events]


REQUIRED = [name for name, _ in as_record(an_event(), STORE).headers if name != "correlationid"]
READ = sorted(set(REQUIRED) - {"ce_specversion", "ce_source", "ce_partitionkey", "content-type"})


@pytest.mark.parametrize("missing", READ)
def test_a_record_without_a_header_is_refused_by_the_name_of_the_header(missing: str):
    whole = consumed(an_event())
    broken = Consumed(whole.key, whole.value, tuple(header for header in whole.headers if header[0] != missing))
    with pytest.raises(UnreadableEvent, match=missing):
        cloudevents.recorded(broken, STORE)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("position", b"many"),
        ("version", b""),
        ("hash", b"zz"),
        ("ce_id", b"7"),
        ("actor", b"\xff"),
        ("store", b"another"),
        ("ce_subject", b"customer-8"),
        ("ce_dataschema", b"urn:rapport:crm.portal.OrderCancelled:2"),
    ],
)
def test_a_record_with_a_wrong_header_is_refused(name: str, content: bytes):
    whole = consumed(an_event())
    headers = tuple((known, content if known == name else kept) for known, kept in whole.headers)
    with pytest.raises(UnreadableEvent):
        cloudevents.recorded(Consumed(whole.key, whole.value, headers), STORE)
