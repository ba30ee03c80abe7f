"""An event as a Kafka record and back: CloudEvents 1.0 in binary mode.

The key is the subject, the value is the payload as stored, the headers say all the rest. `commandhash` is among
them so that a reader of the topic can put the stored metadata together again, byte for byte, and with it the hash
that chains the events of a stream: the topic can be verified without the store.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Protocol
from uuid import UUID

from shared.envelope import Metadata, Recorded, pack
from shared.errors import UnreadableEvent
from shared.topics import service_of

Headers = list[tuple[str, bytes]]

_SCHEMA_PREFIX: Final = "urn:rapport:"
_OPTIONAL: Final = (
    ("onbehalfof", "on_behalf_of"),
    ("correlationid", "correlation_id"),
    ("causationid", "causation_id"),
    ("traceparent", "traceparent"),
)
"""Headers that are left out when the metadata does not have them."""


class Record(Protocol):
    """What is used of a consumed Kafka record."""

    @property
    def key(self) -> bytes | None:
        """The subject in UTF-8."""

    @property
    def value(self) -> bytes | None:
        """The payload as stored."""

    @property
    def headers(self) -> Iterable[tuple[str, bytes]]:
        """The attributes."""


def record(recorded: Recorded, store_id: UUID) -> tuple[bytes, bytes, Headers]:
    """Key, value and headers under which an event is published."""
    meta = recorded.meta
    subject = recorded.subject.encode()
    headers = [
        *_of_type(recorded.type, recorded.schema),
        _of_store(store_id),
        ("ce_id", str(recorded.uuid).encode()),
        ("ce_subject", subject),
        ("ce_time", meta.occurred_at.encode()),
        ("ce_partitionkey", subject),
        ("position", b"%d" % recorded.position),
        ("stream", recorded.stream.encode()),
        ("version", b"%d" % recorded.version),
        ("hash", recorded.hash.hex().encode()),
        ("recordedtime", meta.recorded_at.encode()),
        ("actor", meta.actor.encode()),
        ("commandid", meta.command_id.encode()),
        ("commandhash", meta.command_hash.encode()),
    ]
    for name, field in _OPTIONAL:
        text: str | None = getattr(meta, field)
        if text is not None:
            headers.append((name, text.encode()))
    return subject, recorded.data, headers


@lru_cache(maxsize=1_000)
def _of_type(type_: str, schema: int) -> Headers:
    return [
        ("ce_specversion", b"1.0"),
        ("ce_source", f"/crm/{service_of(type_)}".encode()),
        ("ce_type", type_.encode()),
        ("ce_dataschema", f"{_SCHEMA_PREFIX}{type_}:{schema}".encode()),
        ("content-type", b"application/json"),
    ]


@lru_cache(maxsize=8)
def _of_store(store_id: UUID) -> tuple[str, bytes]:
    return "store", str(store_id).encode()


def event_type(record: Record) -> str:
    """The event type of a consumed record; UnreadableEvent when it names none."""
    for name, content in record.headers:
        if name == "ce_type":
            return content.decode(errors="replace")
    raise UnreadableEvent("a record without the header ce_type")


def recorded(record: Record, store_id: UUID) -> Recorded:
    """The event of a consumed record, as the store has it, down to the bytes of its metadata.

    Raises:
        UnreadableEvent: a header is missing or wrong, or the event is another store's.
    """
    try:
        headers = {name: content.decode() for name, content in record.headers}
        if headers["store"] != str(store_id):
            raise UnreadableEvent(f"an event of another store, {headers['store']}")
        if record.value is None or record.key != headers["ce_subject"].encode():
            raise UnreadableEvent("the key is not the subject, or there is no payload")
        type_, _, schema = headers["ce_dataschema"].removeprefix(_SCHEMA_PREFIX).rpartition(":")
        if type_ != headers["ce_type"]:
            raise UnreadableEvent(f"the schema is that of {type_!r}, the type is {headers['ce_type']!r}")
        return Recorded(
            position=int(headers["position"]),
            stream=headers["stream"],
            version=int(headers["version"]),
            id=UUID(headers["ce_id"]).bytes,
            type=type_,
            schema=int(schema),
            subject=headers["ce_subject"],
            data=record.value,
            metadata=pack(_metadata(headers)),
            hash=bytes.fromhex(headers["hash"]),
        )
    except KeyError as error:
        raise UnreadableEvent(f"a record without the header {error.args[0]}") from error
    except ValueError as error:
        raise UnreadableEvent(f"a header cannot be read: {error}") from error


def _metadata(headers: dict[str, str]) -> Metadata:
    return Metadata(
        subject=headers["ce_subject"],
        actor=headers["actor"],
        command_id=headers["commandid"],
        command_hash=headers["commandhash"],
        occurred_at=headers["ce_time"],
        recorded_at=headers["recordedtime"],
        **{field: headers.get(name) for name, field in _OPTIONAL},
    )
