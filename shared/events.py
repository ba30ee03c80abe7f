"""Events: what they are called, which fields are personal, how old shapes are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, ClassVar, Final, get_args

from pydantic import BaseModel, ConfigDict

from shared.errors import UnreadableEvent

Json = dict[str, Any]
Upcaster = Callable[[Json], Json]


class _Personal:
    """Marks a field that is stored encrypted with its subject's own key."""


PERSONAL: Final = _Personal()
Personal = Annotated[str, PERSONAL]
"""A text about a person: encrypted in the store, readable as long as the subject's key exists."""

ERASED: Final = "[erased]"
"""What a personal field reads as once its key is destroyed."""


class Event(BaseModel):
    """A business fact in the past tense.

    A subclass names its public `type` (never a Python path), the `schema` version of its payload, and the
    field that holds the customer it is about; without one, the event is about its own stream. One that `erases`
    makes every read model forget its subject.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    type: ClassVar[str]
    schema_version: ClassVar[int]
    subject_field: ClassVar[str | None]
    erases: ClassVar[bool]
    personal: ClassVar[frozenset[str]]

    def __init_subclass__(
        cls,
        *,
        type: str,  # noqa: A002, the field's word
        schema: int = 1,
        subject: str | None = None,
        erases: bool = False,
    ) -> None:
        super().__init_subclass__()
        cls.type = type
        cls.schema_version = schema
        cls.subject_field = subject
        cls.erases = erases

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.personal = frozenset(
            name
            for name, field in cls.model_fields.items()
            if PERSONAL in field.metadata or _is_personal(field.annotation)
        )
        if cls.subject_field is not None and cls.subject_field in cls.personal:
            raise TypeError(f"{cls.type}: {cls.subject_field} is personal and cannot be the subject")
        known = _registry.setdefault(cls.type, cls)
        if known is not cls:
            raise TypeError(f"two classes claim the event type {cls.type!r}")

    def subject(self, stream: str) -> str:
        """The subject this event is about, `customer-<uuid>`, or its own stream."""
        if self.subject_field is None:
            return stream
        return f"customer-{getattr(self, self.subject_field)}"


def _is_personal(annotation: Any) -> bool:
    return PERSONAL in getattr(annotation, "__metadata__", ()) or any(map(_is_personal, get_args(annotation)))


_registry: dict[str, type[Event]] = {}
_upcasters: dict[tuple[str, int], Upcaster] = {}


def upcaster(type_: str, from_version: int) -> Callable[[Upcaster], Upcaster]:
    """Register a function that turns version N of a payload into version N + 1."""

    def register(function: Upcaster) -> Upcaster:
        if _upcasters.setdefault((type_, from_version), function) is not function:
            raise TypeError(f"two upcasters for {type_} version {from_version}")
        return function

    return register


def registered() -> tuple[type[Event], ...]:
    """Every event class known to this process, by type."""
    return tuple(_registry[name] for name in sorted(_registry))


def event_class(type_: str) -> type[Event]:
    """The class that reads a type; UnreadableEvent when nobody does."""
    try:
        return _registry[type_]
    except KeyError:
        raise UnreadableEvent(f"unknown event type {type_!r}") from None


def upcast(type_: str, schema: int, data: Json) -> Json:
    """Bring an old payload to the current version of its type, one step at a time."""
    current = event_class(type_).schema_version
    if schema > current:
        raise UnreadableEvent(f"{type_} version {schema} is newer than this program, which reads up to {current}")
    for version in range(schema, current):
        step = _upcasters.get((type_, version))
        if step is None:
            raise UnreadableEvent(f"no upcaster for {type_} version {version}")
        data = step(data)
    return data


def check_upcasters(classes: Iterable[type[Event]] | None = None) -> None:
    """Fail at start-up, not in a replay, when a chain has a hole or leads nowhere."""
    known = {cls.type: cls for cls in (registered() if classes is None else classes)}
    for type_, cls in known.items():
        for version in range(1, cls.schema_version):
            if (type_, version) not in _upcasters:
                raise TypeError(f"{type_} is at version {cls.schema_version} but has no upcaster from {version}")
    for type_, version in _upcasters:
        if type_ in known and version >= known[type_].schema_version:
            raise TypeError(f"the upcaster of {type_} from version {version} leads nowhere")
        if classes is None and type_ not in known:
            raise TypeError(f"an upcaster reads {type_}, which nobody registers")
