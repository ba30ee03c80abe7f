"""Calls to an EventStoreDB or KurrentDB server: bounded in time and number, failing with errors of ours.

Only calls of the first protocol, which EventStoreDB 23.10 and every KurrentDB since have in common.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from kurrentdbclient import AsyncKurrentDBClient, NewEvent, RecordedEvent, StreamState
from kurrentdbclient.exceptions import (
    MaximumAppendSizeExceededError,
    NotFoundError,
    ProgrammingError,
    WrongCurrentVersionError,
)

from shared.errors import RapportError, StoreFailed, TooLarge
from shared.eventstoredb_events import OURS, TOO_OLD
from shared.store import PAGE_BYTES, PAGE_EVENTS

T = TypeVar("T")

_SCHEMES: Final = ("esdb", "esdb+discover", "kurrentdb", "kurrentdb+discover")
_DEFAULTS: Final = {"KeepAliveInterval": 2_000, "KeepAliveTimeout": 2_000, "DefaultDeadline": 5}
"""Milliseconds, milliseconds, seconds. Without them the client waits for a stopped server for ever."""
_GRPC: Final = (("grpc.http2.max_pings_without_data", 0), ("grpc.max_reconnect_backoff_ms", 1_000))
"""By itself gRPC pings an idle connection twice, then once a minute, and waits up to two minutes to connect again."""
_PAGE_SECONDS: Final = 30.0
"""A page may be far behind events of others, which the server has to pass over first."""
_IN_FLIGHT: Final = 64
"""Calls at a time. From about 1,500 on one connection, some fail inside gRPC."""
_ATTEMPTS: Final = 3
_UNREAD: Final = "the store cannot be read"


def with_defaults(uri: str) -> str:
    """The address with the time limits that it does not set itself.

    Raises:
        StoreFailed: it is not the address of an event store.
    """
    parts = urlsplit(uri)
    if parts.scheme not in _SCHEMES:
        raise StoreFailed(f"the address of the event store begins with {', '.join(f'{s}://' for s in _SCHEMES)}")
    given = parse_qsl(parts.query, keep_blank_values=True)
    named = {name.upper() for name, _ in given}
    added = [(name, str(value)) for name, value in _DEFAULTS.items() if name.upper() not in named]
    return urlunsplit(parts._replace(query=urlencode([*given, *added])))


class Client:
    """One connection to the server, to be made inside the event loop that uses it."""

    def __init__(self, uri: str) -> None:
        try:
            self._client = AsyncKurrentDBClient(with_defaults(uri))
        except (ValueError, OSError) as error:
            raise StoreFailed(f"the address of the event store is not usable: {error}") from None
        self._client.grpc_options += _GRPC
        self._deadline = float(self._client.connection_spec.options.default_deadline or _DEFAULTS["DefaultDeadline"])
        self._calls = asyncio.Semaphore(_IN_FLIGHT)

    async def close(self) -> None:
        """Let go of the connection; what is under way gets a few seconds to end."""
        with suppress(ProgrammingError):  # there never was one
            await self._client.close()

    async def stream(self, name: str, *, start: int = 0, limit: int = sys.maxsize) -> tuple[RecordedEvent, ...]:
        """The events of a stream from a version on, none when there is no such stream."""

        async def read() -> tuple[RecordedEvent, ...]:
            return await self._client.get_stream(name, stream_position=start, limit=limit, timeout=self._deadline)

        async with self._asking(_UNREAD, 2 * self._deadline):
            try:
                return await self._whole(read)
            except NotFoundError:
                return ()
            except AssertionError:  # so the client says that the server has sent no position
                raise StoreFailed(TOO_OLD) from None

    async def append(self, stream: str, version: int, events: Sequence[NewEvent]) -> bool:
        """Append behind a version, -1 for a new stream; say whether the server took it.

        Events that stand behind that version already under the same ids are taken as well, whatever they hold.
        """
        async with self._asking(f"nobody knows whether the append to {stream} stands", 2 * self._deadline):
            try:
                await self._client.append_to_stream(
                    stream, events=events, current_version=StreamState.NO_STREAM if version < 0 else version
                )
            except WrongCurrentVersionError:
                return False
            except MaximumAppendSizeExceededError as error:
                raise TooLarge(f"{len(events)} events are too much for one append to {stream}: {error}") from None
            return True

    async def head(self) -> int:
        """The position of the last event of ours, 0 when there is none."""
        async with self._asking(_UNREAD, 2 * self._deadline):
            return await self._whole(self._head)

    async def page(self, after: int, types: Collection[str] | None) -> tuple[list[RecordedEvent], bool, int]:
        """Events of ours behind a position, whether they fill a page, and the position of the last in the log."""

        async def read() -> tuple[list[RecordedEvent], bool, int]:
            head = await self._head()
            return (*(await self._page(after, types) if head > after else ([], False)), head)

        async with self._asking(_UNREAD, _PAGE_SECONDS):
            return await self._whole(read)

    async def subscribed(self, after: int, confirmed: Callable[[], None]) -> AsyncGenerator[RecordedEvent, None]:
        """Events of ours behind a position as they come, until the server or the connection ends it."""
        async with _ours(_UNREAD), AsyncExitStack() as stack:
            async with asyncio.timeout(2 * self._deadline):
                # checkpoints are left out: one may stand at an event that has not been sent, or at none at all
                subscription = await self._client.subscribe_to_all(commit_position=after or None, **_filter(None))
                await stack.enter_async_context(subscription)
            confirmed()
            async for event in subscription:
                yield event

    async def _head(self) -> int:
        # a call that makes the client reconnect to a server that was away; `read_all` is done before anything can fail
        return await self._client.get_commit_position(timeout=self._deadline, **_filter(None))

    async def _page(self, after: int, types: Collection[str] | None) -> tuple[list[RecordedEvent], bool]:
        found: list[RecordedEvent] = []
        size = 0
        response = await self._client.read_all(
            commit_position=after or None, limit=PAGE_EVENTS + 1, timeout=_PAGE_SECONDS, **_filter(types)
        )
        async with response:
            async for event in response:
                if event.commit_position <= after:  # a read begins at the position itself
                    continue
                found.append(event)
                size += len(event.data) + len(event.metadata)
                if len(found) == PAGE_EVENTS or size >= PAGE_BYTES:
                    return found, True
        return found, False

    async def _whole(self, read: Callable[[], Awaitable[T]]) -> T:
        """Read again when the client has reconnected meanwhile.

        It then ends reads that are under way on the old connection as if nothing more came.
        """
        for _ in range(_ATTEMPTS):
            await self._client.connect()
            connection = self._client.connection_id
            found = await read()
            if self._client.connection_id == connection:
                return found
        raise StoreFailed(f"{_UNREAD}: the connection breaks off again and again")

    @asynccontextmanager
    async def _asking(self, failed: str, seconds: float) -> AsyncIterator[None]:
        async with _ours(failed), self._calls, asyncio.timeout(seconds):
            yield


def _filter(types: Collection[str] | None) -> dict[str, Any]:
    """What the server is to leave out: all but ours, or all but some types of ours."""
    if types is None:
        return {"filter_include": [f"{re.escape(OURS)}.*"]}
    # one group: of several patterns the client anchors only the first at its start and the last at its end
    return {"filter_include": [f"(?:{'|'.join(map(re.escape, sorted(types)))})"]}


@asynccontextmanager
async def _ours(failed: str) -> AsyncIterator[None]:
    """Turn whatever the client raises into StoreFailed; a cancellation of the calling task passes."""
    task = asyncio.current_task()
    cancellations = task.cancelling() if task else 0
    caught: BaseException | None = None
    try:
        yield
    except RapportError:
        raise
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001, errors of gRPC and its own come through it
        caught = error
    # the client swallows a cancellation while it stops a read, and lets those of its own calls out as if they were ours
    if task is not None and task.cancelling() > cancellations:
        raise asyncio.CancelledError
    if isinstance(caught, TimeoutError):
        raise StoreFailed(f"{failed}: no answer in time") from caught
    if caught is not None:
        raise StoreFailed(f"{failed}: {str(caught) or type(caught).__name__}") from caught
