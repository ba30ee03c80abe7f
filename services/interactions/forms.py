"""The forms of an interaction: what was typed, read as a command or answered with what to put right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from services.interactions.events import Direction, Kind
from services.interactions.interaction import CorrectInteraction, Minutes, NewInteraction
from services.interactions.interactions import InteractionDetail
from shared.values import Instant, Prose, Text
from shared.web.i18n import N_

Words = Callable[[str], str]
T = TypeVar("T")
_KIND: Final[TypeAdapter[Kind]] = TypeAdapter(Kind)
_DIRECTION: Final[TypeAdapter[Direction]] = TypeAdapter(Direction)
_MINUTES: Final[TypeAdapter[int]] = TypeAdapter(Minutes)
_MOMENT: Final[TypeAdapter[datetime]] = TypeAdapter(Instant)
_PROSE: Final[TypeAdapter[str]] = TypeAdapter(Prose)
_TEXT: Final[TypeAdapter[str]] = TypeAdapter(Text)

WRONG: Final[Mapping[str, str]] = {
    "customer": N_("Type a part of the customer's name, then choose one of those found."),
    "kind": N_("Choose over which channel you were in contact."),
    "direction": N_("Choose who sought the contact."),
    "when": N_("Type a day and a time that has passed, or leave it empty for now."),
    "duration": N_("Type whole minutes, at most 1440."),
    "summary": N_("Write what it was about, in 1 to 10,000 characters."),
    "reason": N_("Write why it is corrected, in one line of at most 200 characters."),
}
"""What a field wants, for one that has something else."""


def new_key() -> str:
    """An idempotency key for a form that is shown for the first time."""
    return str(uuid4())


@dataclass(frozen=True)
class Form:
    """A form as it is shown: its key, what was typed, and what is wrong by field."""

    key: str = field(default_factory=new_key)
    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


class _Reading:
    """Reads fields one by one, and keeps what is wrong."""

    def __init__(self, typed: Mapping[str, str], _: Words) -> None:
        self._typed = typed
        self._words = _
        self.errors: dict[str, str] = {}

    def value(self, name: str, read: Callable[[str], T]) -> T | None:
        """What a field says; None when it is empty or wrong."""
        text = self._typed[name].strip()
        return self.required(name, read) if text else None

    def required(self, name: str, read: Callable[[str], T]) -> T | None:
        """What a field says; None when it is wrong, as an empty one is."""
        try:
            return read(self._typed[name].strip())
        except (ValueError, OverflowError):
            self.errors[name] = self._words(WRONG[name])
            return None


def record(typed: Mapping[str, str], zone: str, _: Words) -> NewInteraction | dict[str, str]:
    """The interaction that was typed, its time in `zone`, or the errors of the form's fields."""
    fields = _Reading(typed, _)
    said: dict[str, Any] = {
        "customer_id": fields.required("customer", UUID),
        "kind": fields.required("kind", _KIND.validate_python),
        "direction": fields.required("direction", _DIRECTION.validate_python),
        "occurred_at": fields.value("when", lambda text: _moment(text, zone)),
        "duration_minutes": fields.value("duration", _minutes),
        "summary": fields.required("summary", _PROSE.validate_python),
    }
    return fields.errors or NewInteraction(**said)


def correct(typed: Mapping[str, str], shown: InteractionDetail, _: Words) -> CorrectInteraction | dict[str, str]:
    """The correction that was typed, or the errors of the form's fields."""
    fields = _Reading(typed, _)
    duration = fields.value if shown.duration_minutes is None else fields.required
    said: dict[str, Any] = {
        "kind": fields.required("kind", _KIND.validate_python),
        "direction": fields.required("direction", _DIRECTION.validate_python),
        "duration_minutes": duration("duration", _minutes),
        "summary": fields.required("summary", _PROSE.validate_python),
        "reason": fields.required("reason", _TEXT.validate_python),
    }
    return fields.errors or CorrectInteraction(**said)


def as_typed(shown: InteractionDetail) -> dict[str, str]:
    """What a correction starts from: the interaction as it stands."""
    minutes = shown.duration_minutes
    return {
        "kind": shown.kind,
        "direction": shown.direction,
        "duration": "" if minutes is None else str(minutes),
        "summary": shown.summary,
    }


def _moment(text: str, zone: str) -> datetime:
    local = datetime.fromisoformat(text)
    return _MOMENT.validate_python(local if local.tzinfo else local.replace(tzinfo=ZoneInfo(zone)))


def _minutes(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return _MINUTES.validate_python(int(text))
