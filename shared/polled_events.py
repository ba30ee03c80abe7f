"""Events as a consumer polls them: what a fold of sums needs is read, the rest when somebody asks for it.

To read all of a record takes 12 us, as much of it as here 2.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from shared.cloudevents import SCHEMA, SUBJECT, beginning, recorded
from shared.envelope import Recorded
from shared.errors import UnreadableEvent
from shared.record_batch import VARINTS, Unpacked, header_name, headers

_SCHEMA_AT: Final = 1 + len(header_name(SCHEMA))
"""Where the schema of an event stands in its headers, behind their number and its name."""
_SUBJECT: Final = header_name(SUBJECT)
_FEWEST, _MOST = VARINTS[18][0], VARINTS[22][0]
"""How many headers an event of ours has, as Kafka writes it."""


class Polled(msgspec.Struct, gc=False):
    """Stands in for the `Recorded` that its record holds."""

    position: int
    type: str
    schema: int
    subject: str
    data: bytes
    batch: bytes
    at: int
    store: UUID
    whole: Recorded | None = None

    def __getattr__(self, name: str) -> Any:
        """Whatever else an event has; UnreadableEvent when its headers do not say so."""
        if name.startswith("__"):
            raise AttributeError(name)
        if self.whole is None:
            record = _Record(self.subject.encode(), self.data, headers(self.batch, self.at).items())
            self.whole = recorded(record, self.store)
        return getattr(self.whole, name)

    def _asdict(self) -> dict[str, Any]:
        """All fields of a `Recorded`; what cannot be read is empty, so that the event can be parked."""
        try:
            return dict(self.__getattr__("_asdict")())
        except UnreadableEvent:
            known = (self.position, "", 0, b"", self.type, self.schema, self.subject, self.data, b"", b"")
            self.whole = Recorded(*known)
            return self.whole._asdict()


class Reader:
    """Reads the records of one store's events; remembers how those of each type begin."""

    def __init__(self, store: UUID, types: Collection[str]) -> None:
        self._store = store
        self._types = {type_.encode() for type_ in types}
        self._known: dict[bytes, tuple[bytes, int, str, int]] = {}

    def event(self, record: Unpacked) -> Polled | None:
        """The event of a record; None when it cannot be read, but is of none of the types.

        Raises:
            UnreadableEvent: a header is missing or wrong, or the event is another store's.
        """
        _, key, value, batch, at = record
        schema = b""
        try:
            if key is not None and value is not None and _FEWEST <= batch[at] <= _MOST:
                schema_at = at + _SCHEMA_AT
                schema = batch[schema_at : schema_at + 2 + (batch[schema_at] >> 1)]
                known = self._known.get(schema)
                if known is not None and batch.startswith(known[0], at + 1):
                    _, size, type_, version = known
                    digits_at = at + size
                    digits_end = digits_at + (batch[digits_at - 1] >> 1)
                    if batch.startswith(_SUBJECT + VARINTS[len(key)] + key, digits_end):
                        position = int(batch[digits_at:digits_end])
                        return Polled(position, type_, version, key.decode(), value, batch, at, self._store)
            found = headers(batch, at)
        except (ValueError, IndexError) as error:
            raise UnreadableEvent(f"a record that cannot be read: {error}") from error
        return self._whole(record, found, schema)

    def _whole(self, record: Unpacked, found: Mapping[str, bytes], schema: bytes) -> Polled | None:
        """Read all of a record; the next one that begins like it need not be read so."""
        _, key, value, batch, at = record
        try:
            event = recorded(_Record(key, value, found.items()), self._store)
        except UnreadableEvent:
            if "ce_type" in found and found["ce_type"] not in self._types:
                return None
            raise
        begins = beginning(event.type, event.schema, str(self._store))
        if schema and batch.startswith(begins, at + 1):
            self._known[schema] = begins, len(begins) + 2, event.type, event.schema
        known = event.position, event.type, event.schema, event.subject, event.data
        return Polled(*known, batch, at, self._store, event)


class _Record(NamedTuple):
    key: bytes | None
    value: bytes | None
    headers: Iterable[tuple[str, bytes]]
