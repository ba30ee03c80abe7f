"""Our events as EventStoreDB keeps them: the payload untouched, schema and hash at the end of the metadata."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

import msgspec
from kurrentdbclient import NewEvent, RecordedEvent

from shared.envelope import Draft, Metadata, Recorded
from shared.errors import StoreFailed, UnreadableEvent

OURS: Final = "crm."
"""What the types of our events begin with; everything else in the log belongs to the server or to others."""

TOO_OLD: Final = (
    "the event store does not tell the positions of a stream's events: EventStoreDB 22.10 or newer is needed"
)
_ADDED: Final = re.compile(rb',"schema":(\d{1,9}),"hash":"([0-9a-f]{64})"\}\Z')

_decode = msgspec.json.Decoder(Metadata).decode


def proposed(draft: Draft, digest: bytes) -> NewEvent:
    """An event to append: two keys are added to the metadata's bytes, which can be cut out again as they were."""
    added = b',"schema":%d,"hash":"%s"}' % (draft.schema, digest.hex().encode())
    return NewEvent(type=draft.type, data=draft.data, metadata=draft.metadata[:-1] + added, id=UUID(bytes=draft.id))


def recorded(event: RecordedEvent) -> Recorded:
    """An event of ours as it was appended.

    Raises:
        UnreadableEvent: somebody else wrote it.
        StoreFailed: the server does not say where in the log it stands.
    """
    if not event.commit_position:
        raise StoreFailed(TOO_OLD)
    added = _ADDED.search(event.metadata)
    if added is None:
        raise _foreign(event, "its metadata does not end with schema and hash")
    metadata = event.metadata[: added.start()] + b"}"
    try:
        subject = _decode(metadata).subject
    except msgspec.MsgspecError as error:
        raise _foreign(event, str(error)) from None
    return Recorded(
        event.commit_position,
        event.stream_name,
        event.stream_position,
        event.id.bytes,
        event.type,
        int(added[1]),
        subject,
        event.data,
        metadata,
        bytes.fromhex(added[2].decode()),
    )


def _foreign(event: RecordedEvent, reason: str) -> UnreadableEvent:
    place = f"version {event.stream_position} of {event.stream_name}"
    return UnreadableEvent(f"{event.type}, {place}, was not written by Rapport: {reason}")
