"""Following the log of an EventStoreDB: one subscription after the other, and pages of what they bring."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from typing import Final, Never

from kurrentdbclient import RecordedEvent

from shared.backoff import Backoff
from shared.envelope import Recorded
from shared.errors import StoreFailed
from shared.eventstoredb_client import Client
from shared.eventstoredb_events import recorded
from shared.store import PAGE_BYTES, PAGE_EVENTS, Page

_LONGEST_PAUSE: Final = 5.0

_log = logging.getLogger(__name__)


class Follower:
    """One endless look at the log. `failing` says what keeps it from going on, None while it is well.

    A task of its own takes the events off the subscription: whoever waits for a page may be cancelled at any time,
    which would end a subscription that it waits on itself.
    """

    def __init__(self, client: Client, after: int, types: Collection[str] | None) -> None:
        self.failing: str | None = None
        self._client = client
        self._types = None if types is None else frozenset(types)
        self._reached = after
        self._events: list[Recorded] = []
        self._size = 0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    async def pages(self) -> AsyncGenerator[Page, None]:
        """Whatever has arrived since the last page; waits when that is nothing.

        Raises:
            UnreadableEvent: an event was not written by Rapport; those before it have been given.
        """
        given = self._reached
        subscriber = asyncio.create_task(self._subscribe_for_ever())
        subscriber.add_done_callback(lambda _: self._arrived.set())
        try:
            while self._reached > given or not subscriber.done():
                await self._arrived.wait()
                self._arrived.clear()
                if self._reached > given:
                    page = self._next()
                    given = page.position
                    yield page
            await subscriber
        finally:
            subscriber.cancel()
            await asyncio.gather(subscriber, return_exceptions=True)

    def _next(self) -> Page:
        page = Page(self._events, self._reached)
        self._events, self._size = [], 0
        self._room.set()
        return page

    async def _subscribe_for_ever(self) -> Never:
        backoff = Backoff(_LONGEST_PAUSE)
        while True:
            before = self._reached
            try:
                await self._subscribe()
                self.failing = "the event store ended the subscription"
            except StoreFailed as error:
                self.failing = str(error)
            if self._reached > before:
                backoff.reset()
            _log.warning("following from position %d: %s; subscribing again", self._reached, self.failing)
            await backoff.pause()

    async def _subscribe(self) -> None:
        head = await self._client.head()
        if self._reached > head:  # a server before 24.2 would take the subscription and never send anything
            raise StoreFailed(f"position {self._reached} is not in the store, which ends at {head}")
        async with aclosing(self._client.subscribed(self._reached, self._confirmed)) as events:
            async for event in events:
                await self._take(event)

    def _confirmed(self) -> None:
        self.failing = None

    async def _take(self, event: RecordedEvent) -> None:
        if event.commit_position <= self._reached:  # delivered again
            return
        if self._types is None or event.type in self._types:
            new = recorded(event)
            await self._room.wait()
            self._events.append(new)
            self._size += len(new.data) + len(new.metadata)
            if len(self._events) >= PAGE_EVENTS or self._size >= PAGE_BYTES:
                self._room.clear()
        self._reached = event.commit_position
        self._arrived.set()
