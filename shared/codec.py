"""Events to stored bytes and back: the one place where personal fields are sealed and old shapes are read."""

from __future__ import annotations

import json
from typing import Final
from uuid import UUID

from pydantic import ValidationError
from pydantic_core import to_json

from shared.envelope import Recorded
from shared.errors import UnreadableEvent
from shared.events import Event, Json, event_class, upcast
from shared.keyring import Keyring, seal, unseal

MASKED: Final = "[personal]"
"""What is shown of a personal field."""


class Codec:
    """Encodes and decodes payloads with the subjects' keys."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def encode(self, event: Event, event_id: UUID, subject: str) -> bytes:
        """The payload as stored."""
        if not event.personal:
            return event.model_dump_json().encode()
        data = event.model_dump(mode="json")
        for field in event.personal:
            if data[field] is not None:
                data[field] = seal(self._keyring.key(subject), data[field], event_id=event_id.bytes, field=field)
        return to_json(data)

    def decode(self, recorded: Recorded) -> Event:
        """The event, upcast to its current shape; UnreadableEvent names what is wrong and where."""
        cls = event_class(recorded.type)
        try:
            if recorded.schema == cls.schema_version and not cls.personal:
                return cls.model_validate_json(recorded.data)
            data = upcast(recorded.type, recorded.schema, self._parse(recorded))
            return cls.model_validate_json(json.dumps(self._opened(cls, data, recorded)))
        except ValidationError as error:
            raise UnreadableEvent(f"{recorded.type} at {recorded.position}: {error.errors()[0]['msg']}") from error

    def current(self, recorded: Recorded) -> bytes:
        """The payload in its current shape, personal fields still sealed: what the columnar fold reads."""
        if recorded.schema == event_class(recorded.type).schema_version:
            return recorded.data
        return json.dumps(upcast(recorded.type, recorded.schema, self._parse(recorded))).encode()

    def revealed(self, recorded: Recorded) -> Json:
        """The stored payload with its personal fields readable; the caller has checked the right to it."""
        return self._opened(event_class(recorded.type), self._parse(recorded), recorded)

    def _parse(self, recorded: Recorded) -> Json:
        try:
            data = json.loads(recorded.data)
        except ValueError as error:
            raise UnreadableEvent(f"{recorded.type} at {recorded.position} is not JSON: {error}") from error
        if not isinstance(data, dict):
            raise UnreadableEvent(f"{recorded.type} at {recorded.position} is not a JSON object")
        return data

    def _opened(self, cls: type[Event], data: Json, recorded: Recorded) -> Json:
        sealed = {field for field in cls.personal if data.get(field) is not None}
        if not sealed:
            return data
        key = self._keyring.find(recorded.subject)
        return data | {field: unseal(key, data[field], event_id=recorded.id, field=field) for field in sealed}


class Masked(Codec):
    """Reads events as everybody may see them: with a word in place of what is personal."""

    def __init__(self) -> None:
        """No keys: nothing is opened."""

    def _opened(self, cls: type[Event], data: Json, _recorded: Recorded) -> Json:
        return data | {field: MASKED for field in cls.personal if data.get(field) is not None}
