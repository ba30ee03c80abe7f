"""Where a generation's events come from, and so what its watermarks say of what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from shared.envelope import Recorded
from shared.projections.generation import Generation
from shared.projections.progress import STORE, Mark, Source

Marks = Mapping[Source, Mark]


class Written(Protocol):
    """An event that a reader wants to see: where it stands in the store, and in which topic."""

    @property
    def position(self) -> int:
        """Its position."""

    @property
    def topic(self) -> str:
        """Its service's topic."""

    @property
    def subject(self) -> str:
        """Whom it is about."""


class Lag(NamedTuple):
    """How many events a generation is behind; an estimate where other things than events are counted."""

    events: int
    approximate: bool


class Feed(Protocol):
    """What tells how far generations are."""

    @property
    def look_again(self) -> float:
        """Seconds after which another process may have moved a generation without this one being told."""

    def position(self, generation: Generation) -> int:
        """How far a generation holds everything that happened."""

    def holds(self, generation: Generation, written: Written) -> bool:
        """Whether readers of a generation see an event, or would if the family were to read it."""

    def source(self, marks: Marks, event: Recorded) -> Source:
        """From where a generation with these watermarks has an event."""

    def applied(self, marks: Marks, event: Recorded) -> bool:
        """Whether a generation with these watermarks has had an event."""

    def lag(self, generation: Generation, head: int) -> Lag:
        """How far a generation is behind the store, which ends at `head`."""


class StoreFeed:
    """Generations that follow the store in this process: there is one watermark, and it says everything."""

    look_again = 60.0

    def position(self, generation: Generation) -> int:
        """The watermark."""
        return generation.position

    def holds(self, generation: Generation, written: Written) -> bool:
        """Whether the watermark has got there."""
        return generation.position >= written.position

    def source(self, _marks: Marks, _event: Recorded) -> Source:
        """The store."""
        return STORE

    def applied(self, marks: Marks, event: Recorded) -> bool:
        """Whether the watermark has passed it."""
        return STORE in marks and event.position <= marks[STORE].position

    def lag(self, generation: Generation, head: int) -> Lag:
        """The positions in between."""
        return Lag(max(0, head - generation.position), approximate=False)
