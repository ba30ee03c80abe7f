"""The event store port: five verbs that every adapter keeps, proved by one contract suite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from shared.envelope import NO_STREAM, Draft, Head, Recorded
from shared.errors import TooLarge
from shared.scan import Scan

MAX_EVENT_BYTES: Final = 256 * 1024
"""Payload and metadata together. Checked before append: a larger event could be accepted but never relayed."""

PAGE_EVENTS: Final = 500
PAGE_BYTES: Final = 8 * 1024 * 1024


class History(NamedTuple):
    """A stream as loaded: its events in order and where it ends."""

    events: tuple[Recorded, ...]
    head: Head

    @property
    def position(self) -> int:
        """The position of the last event, 0 for a stream that does not exist."""
        return self.events[-1].position if self.events else 0


EMPTY: Final = History((), NO_STREAM)


class Page(NamedTuple):
    """Events in position order, and the position up to which the log was read to find them."""

    events: list[Recorded]
    position: int


class EventStore(Protocol):
    """The log of one deployment. Positions only grow; a position is visible after all smaller ones."""

    @property
    def id(self) -> UUID:
        """Whose positions these are: watermarks and tokens carry it."""

    async def load(self, stream: str) -> History:
        """Everything in one stream; EMPTY when it does not exist."""

    async def append(self, stream: str, head: Head, drafts: Sequence[Draft]) -> list[Recorded]:
        """Add all events or none, durably, if the stream still ends at `head`.

        Raises:
            Conflict: the stream ends elsewhere.
            TooLarge: an event is over MAX_EVENT_BYTES.
            StoreFailed: the append is not durable; it may be tried again.
        """

    def pages(self, after: int, *, types: Collection[str] | None = None) -> AsyncIterator[Page]:
        """Everything behind a position in pages, up to the head at the time it is reached."""

    def follow(self, after: int, *, types: Collection[str] | None = None) -> AsyncIterator[Page]:
        """Like `pages`, but waits at the head for more and never ends."""

    def scan(self, after: int, upto: int) -> Scan | None:
        """The log between two positions for a fold in columns, where it is a file that can be read so."""

    async def position(self) -> int:
        """The position of the last event, 0 when there is none."""


def check_sizes(stream: str, drafts: Sequence[Draft]) -> None:
    """Refuse an append that some part of the system could not carry."""
    for draft in drafts:
        size = len(draft.data) + len(draft.metadata)
        if size > MAX_EVENT_BYTES:
            raise TooLarge(f"{draft.type} for {stream} has {size:,} bytes; at most {MAX_EVENT_BYTES:,} are allowed")
