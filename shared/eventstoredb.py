"""The event store of a deployment: an EventStoreDB or KurrentDB server, on its own or a cluster.

A position is an event's commit position in the server's log: it grows and is never given twice, but is not consecutive.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import aclosing
from typing import Final, Self
from uuid import UUID, uuid4

import msgspec
from kurrentdbclient import NewEvent

from shared.backoff import Backoff
from shared.envelope import NO_STREAM, Draft, Head, Recorded, link
from shared.errors import Conflict, StoreFailed
from shared.eventstoredb_client import Client
from shared.eventstoredb_events import proposed, recorded
from shared.eventstoredb_follower import Follower
from shared.store import EMPTY, History, Page, check_sizes

_STORE: Final = "rapport-store"
_NAMED: Final = "rapport.StoreNamed"
_KNOWN_HEADS: Final = 10_000
_ATTEMPTS: Final = 5
_LONGEST_PAUSE: Final = 2.0


class EventStoreDB:
    """The log on a server. Any number of processes may write; open one in each, inside its event loop."""

    def __init__(self, client: Client, identity: UUID) -> None:
        self._client = client
        self._id = identity
        self._heads: OrderedDict[str, Head] = OrderedDict()
        self._followers: set[Follower] = set()

    @classmethod
    async def open(cls, uri: str) -> Self:
        """Connect to `esdb://HOST:PORT?Tls=false` and the like; the first to come gives the store its id.

        Raises:
            StoreFailed: the address is none, or the server does not answer.
        """
        client = Client(uri)
        try:
            return cls(client, await _identity(client))
        except BaseException:
            await client.close()
            raise

    @property
    def id(self) -> UUID:
        """Whose positions these are."""
        return self._id

    @property
    def failing(self) -> str | None:
        """What keeps a follower from going on, None while all are well."""
        return next((follower.failing for follower in self._followers if follower.failing), None)

    async def close(self) -> None:
        """Let go of the server; end the followers first."""
        await self._client.close()

    def scan(self, after: int, upto: int) -> None:
        """None: a server's log is read event by event."""

    async def position(self) -> int:
        """The position of the last event of ours."""
        return await self._client.head()

    async def load(self, stream: str) -> History:
        """Everything in one stream."""
        events = await self._read(stream)
        if not events:
            return EMPTY
        head = Head(events[-1].version, events[-1].hash)
        self._know(stream, head)
        return History(events, head)

    async def append(self, stream: str, head: Head, drafts: Sequence[Draft]) -> list[Recorded]:
        """Add all events or none, if the stream still ends at `head`; durable when it returns.

        Raises:
            Conflict: the stream ends elsewhere.
            TooLarge: an event is over the cap, or all of them are over the server's.
            StoreFailed: the events may stand or not; do it again under the same ids.
        """
        check_sizes(stream, drafts)
        await self._check(stream, head)
        linked = link(stream, head, drafts)
        if not linked:
            return []
        events = [proposed(draft, digest) for _, draft, digest in linked]
        taken = await self._client.append(stream, head.version, events)
        # Read back in any case. A server takes ids that it has as done, although another process may have written them
        # for the same command at another time; and it may refuse a repetition of what it has stored but not answered.
        stands = await self._read(stream, start=head.version + 1, limit=len(linked))
        if [event.hash for event in stands] == [digest for _, _, digest in linked]:
            self._know(stream, Head(stands[-1].version, stands[-1].hash))
            return list(stands)
        if taken and not stands:
            raise StoreFailed(f"the append to {stream} was taken, but cannot be read back")
        raise Conflict(f"{stream} does not end at version {head.version} any more")

    async def pages(self, after: int, *, types: Collection[str] | None = None) -> AsyncIterator[Page]:
        """Everything behind a position, up to the head."""
        at_head = False
        while not at_head:
            page, at_head = await self._page(after, types)
            if page.position > after:
                yield page
                after = page.position

    async def follow(self, after: int, *, types: Collection[str] | None = None) -> AsyncIterator[Page]:
        """Like `pages`, then waits for more; what the server cannot do now is tried again, and told in `failing`."""
        follower = Follower(self._client, after, types)
        self._followers.add(follower)
        try:
            async with aclosing(follower.pages()) as pages:
                async for page in pages:
                    yield page
        finally:
            self._followers.discard(follower)

    async def _page(self, after: int, types: Collection[str] | None) -> tuple[Page, bool]:
        """The next page, and whether it ends at the head."""
        backoff = Backoff(_LONGEST_PAUSE)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                found, full, head = await self._client.page(after, types)
                break
            except StoreFailed:
                if attempt == _ATTEMPTS:
                    raise
                await backoff.pause()
        events = [recorded(event) for event in found]
        last = events[-1].position if events else after
        return Page(events, last if full else max(last, head)), not full

    async def _read(self, stream: str, *, start: int = 0, limit: int = sys.maxsize) -> tuple[Recorded, ...]:
        events = tuple(map(recorded, await self._client.stream(stream, start=start, limit=limit)))
        for version, event in enumerate(events, start):
            if event.version != version:
                raise StoreFailed(f"{stream} has lost version {version}: was it deleted or cut off on the server?")
        return events

    async def _check(self, stream: str, head: Head) -> None:
        """Compare the hash of the head, of which the server knows nothing."""
        known: Head | None = NO_STREAM if head.version == NO_STREAM.version else self._heads.get(stream)
        if known is None or known.version != head.version:
            there = await self._read(stream, start=head.version, limit=1)
            known = Head(there[0].version, there[0].hash) if there else None
        if known != head:
            raise Conflict(f"{stream} does not have this head at version {head.version}")

    def _know(self, stream: str, head: Head) -> None:
        self._heads[stream] = head
        self._heads.move_to_end(stream)
        if len(self._heads) > _KNOWN_HEADS:
            self._heads.popitem(last=False)


async def _identity(client: Client) -> UUID:
    """The id that the store was given; a process that comes too late with one reads that of the first."""
    for _ in range(2):
        named = await client.stream(_STORE, limit=1)
        if named:
            return UUID(msgspec.json.decode(named[0].data)["id"])
        content = msgspec.json.encode({"id": str(uuid4())})
        await client.append(_STORE, -1, [NewEvent(type=_NAMED, data=content, metadata=b"{}")])
    raise StoreFailed(f"the stream {_STORE} was written, but cannot be read back")
