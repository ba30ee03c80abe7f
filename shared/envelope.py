"""The envelope around an event, as it is stored: who, when, why, and the chained hash."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

FIRST_HASH: Final = bytes(32)


class Metadata(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=False):
    """What is recorded about an event besides its payload. Times are RFC 3339 in UTC."""

    subject: str
    actor: str
    command_id: str
    command_hash: str
    occurred_at: str
    recorded_at: str
    correlation_id: str | None = None
    causation_id: str | None = None
    on_behalf_of: str | None = None
    traceparent: str | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Metadata).decode


class Recorded(NamedTuple):
    """An event as the store keeps it; `data` and `metadata` are the stored bytes, never re-encoded."""

    position: int
    stream: str
    version: int
    id: bytes
    type: str
    schema: int
    subject: str
    data: bytes
    metadata: bytes
    hash: bytes

    @property
    def uuid(self) -> UUID:
        """The event id."""
        return UUID(bytes=self.id)

    @property
    def meta(self) -> Metadata:
        """The decoded metadata."""
        return _decode(self.metadata)


class Draft(NamedTuple):
    """An event ready to be stored: everything but its place."""

    id: bytes
    type: str
    schema: int
    subject: str
    data: bytes
    metadata: bytes


class Head(NamedTuple):
    """Where a stream ends: the version of its last event (-1 before the first) and that event's hash."""

    version: int
    hash: bytes


NO_STREAM: Final = Head(-1, FIRST_HASH)


def pack(metadata: Metadata) -> bytes:
    """Metadata as stored: compact JSON in the order of the fields."""
    return _encode(metadata)


def chained(previous: bytes, stream: str, version: int, draft: Draft | Recorded) -> bytes:
    """SHA-256 over the length-prefixed parts of an event and the hash before it.

    Lengths stand before the parts so that no two different events can be laid out as the same bytes.
    """
    parts: Sequence[bytes] = (
        previous,
        stream.encode(),
        str(version).encode(),
        draft.id,
        draft.type.encode(),
        str(draft.schema).encode(),
        draft.data,
        draft.metadata,
    )
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


def link(stream: str, head: Head, drafts: Sequence[Draft]) -> list[tuple[int, Draft, bytes]]:
    """Give each draft its version and its hash, following on the head."""
    linked: list[tuple[int, Draft, bytes]] = []
    version, previous = head
    for draft in drafts:
        version += 1
        previous = chained(previous, stream, version, draft)
        linked.append((version, draft, previous))
    return linked


def as_json(recorded: Recorded, data: Any) -> dict[str, Any]:
    """One event in the public JSON shape of the command line and the events API."""
    meta = recorded.meta
    return {
        "position": recorded.position,
        "id": str(recorded.uuid),
        "type": recorded.type,
        "schema": recorded.schema,
        "subject": recorded.subject,
        "stream": recorded.stream,
        "version": recorded.version,
        "occurred_at": meta.occurred_at,
        "recorded_at": meta.recorded_at,
        "actor": meta.actor,
        "on_behalf_of": meta.on_behalf_of,
        "correlation_id": meta.correlation_id,
        "causation_id": meta.causation_id,
        "command_id": meta.command_id,
        "hash": recorded.hash.hex(),
        "data": data,
    }
