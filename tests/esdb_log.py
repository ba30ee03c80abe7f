"""The log behind the event store double: which appends EventStoreDB takes, and a file that outlives a SIGKILL."""

import asyncio
import os
import time
from bisect import bisect_left, bisect_right
from pathlib import Path
from uuid import uuid4

from kurrentdbclient.protos.v1 import shared_pb2, streams_pb2

MAX_APPEND_BYTES = 1024 * 1024
DELETED = "$streamDeleted"
_LENGTH_BYTES = 4
_OVERHEAD = 80

Event = streams_pb2.ReadResp.ReadEvent.RecordedEvent
Request = streams_pb2.BatchAppendReq


class WrongVersion(Exception):
    """The stream ends elsewhere: at `current`, -1 when there is none."""

    def __init__(self, current: int) -> None:
        super().__init__(current)
        self.current = current


class Deleted(Exception):
    """The stream is tombstoned."""


class TooMuch(Exception):
    """The append is over MAX_APPEND_BYTES."""


class Log:
    """Events by position and by stream. Positions are byte offsets, as in a real one: they grow with gaps."""

    def __init__(self, path: Path | None = None) -> None:
        self.events: list[Event] = []
        self.streams: dict[str, list[Event]] = {}
        self.deleted: set[str] = set()
        self.grown = asyncio.Event()
        self.forgets_ids = False
        self._positions: list[int] = []
        self._end = 0
        self._file = None
        self._syncing: asyncio.Task[None] | None = None
        if path is not None:
            self._restore(path)
        if not self.events:  # a new server writes events of its own before anybody's
            self.append(request("$users", "any", [("$UserCreated", b"{}", b"{}")]))

    def append(self, wanted: Request) -> Event:
        """Write the events unless they stand there already, and return the last of them."""
        stream = wanted.options.stream_identifier.stream_name.decode()
        if stream in self.deleted:
            raise Deleted
        messages = wanted.proposed_messages
        if sum(len(message.data) + len(message.custom_metadata) for message in messages) > MAX_APPEND_BYTES:
            raise TooMuch
        written = self._written(stream, wanted.options, [message.id.string for message in messages])
        if written is not None:
            return written
        for message in messages:
            message.metadata["created"] = str(time.time_ns() // 100)
        if self._file is not None:
            content = wanted.SerializeToString()
            self._file.write(len(content).to_bytes(_LENGTH_BYTES, "big") + content)
            self._file.flush()
        return self._add(wanted)

    async def synced(self) -> None:
        """Wait until what was appended is on the disk; appends that arrive together share one fsync."""
        if self._file is None:
            return
        if self._syncing is None:
            self._syncing = asyncio.create_task(self._sync())
        await asyncio.shield(self._syncing)

    def wake(self) -> None:
        """Let those go on who wait for the log to grow."""
        self.grown.set()
        self.grown = asyncio.Event()

    def index(self, position: int) -> int | None:
        """Where the event at a position stands among all, None when no event has it."""
        index = bisect_left(self._positions, position)
        return index if self._positions[index : index + 1] == [position] else None

    def index_behind(self, position: int) -> int:
        """Where the first event behind a position stands."""
        return bisect_right(self._positions, position)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def _written(self, stream: str, options: Request.Options, ids: list[str]) -> Event | None:
        """The last event of an earlier append of the same ids, None when the append is new and right."""
        there = self.streams.get(stream, [])
        current = len(there) - 1
        expected = options.WhichOneof("expected_stream_position")
        if expected in {"any", "stream_exists"}:
            if expected == "stream_exists" and current < 0:
                raise WrongVersion(current)
            known = {event.id.string: event for event in there}
            if not any(id_ in known for id_ in ids):
                return None
            if not all(id_ in known for id_ in ids):
                raise WrongVersion(current)
            return known[ids[-1]]
        version = -1 if expected == "no_stream" else options.stream_position
        if version == current:
            return None
        repeated = there[version + 1 : version + 1 + len(ids)]
        if self.forgets_ids or [event.id.string for event in repeated] != ids:
            raise WrongVersion(current)
        return repeated[-1]

    def _add(self, wanted: Request) -> Event:
        name = wanted.options.stream_identifier.stream_name
        stream = self.streams.setdefault(name.decode(), [])
        for message in wanted.proposed_messages:
            event = Event(
                id=message.id,
                stream_identifier=wanted.options.stream_identifier,
                stream_revision=len(stream),
                prepare_position=self._end,
                commit_position=self._end,
                metadata=message.metadata,
                custom_metadata=message.custom_metadata,
                data=message.data,
            )
            stream.append(event)
            self.events.append(event)
            self._positions.append(self._end)
            self._end += _OVERHEAD + len(message.data) + len(message.custom_metadata)
        if stream[-1].metadata["type"] == DELETED:
            self.deleted.add(name.decode())
        self.wake()
        return stream[-1]

    async def _sync(self) -> None:
        await asyncio.sleep(0)
        self._syncing = None  # whoever comes from now on may have written too late for this one
        if self._file is not None and not self._file.closed:
            os.fsync(self._file.fileno())

    def _restore(self, path: Path) -> None:
        content = path.read_bytes() if path.exists() else b""
        end = 0
        while end + _LENGTH_BYTES <= len(content):
            begin = end + _LENGTH_BYTES
            size = int.from_bytes(content[end:begin], "big")
            if begin + size > len(content):  # torn by a kill: it was never answered
                break
            self._add(Request.FromString(content[begin : begin + size]))
            end = begin + size
        self._file = path.open("ab")
        self._file.truncate(end)


def request(stream: str, expected: str | int, events: list[tuple[str, bytes, bytes]]) -> Request:
    """An append of (type, data, metadata), as a client would send it."""
    options = Request.Options(stream_identifier=shared_pb2.StreamIdentifier(stream_name=stream.encode()))
    if isinstance(expected, int):
        options.stream_position = expected
    else:
        getattr(options, expected).SetInParent()
    messages = [
        Request.ProposedMessage(
            id=shared_pb2.UUID(string=str(uuid4())),
            metadata={"type": type_, "content-type": "application/json"},
            data=data,
            custom_metadata=metadata,
        )
        for type_, data, metadata in events
    ]
    return Request(options=options, proposed_messages=messages)
