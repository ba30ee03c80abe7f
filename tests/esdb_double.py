"""An event store server for tests that speaks the protocol of EventStoreDB, and fails as one can fail when told so.

In a process: `Double`. As a process: `python tests/esdb_double.py --port N [--file PATH]`; lines on its standard input
are what `Double.obey` understands.
"""

import argparse
import asyncio
import re
import signal
import sys
import threading
from collections.abc import AsyncIterator
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

import grpc
from esdb_log import DELETED, MAX_APPEND_BYTES, Deleted, Event, Log, TooMuch, WrongVersion, request
from google.protobuf import any_pb2
from google.protobuf.message import Message
from kurrentdbclient.protos.v1 import gossip_pb2, gossip_pb2_grpc, shared_pb2, status_pb2, streams_pb2, streams_pb2_grpc

Options = streams_pb2.ReadReq.Options
Response = streams_pb2.ReadResp
TOO_SLOW = (grpc.StatusCode.ABORTED, "Operation timed out: Consumer too slow. Client resubscription required.")
AWAY = (grpc.StatusCode.UNAVAILABLE, "the server is going away")
# clients ping more often than gRPC's own servers like; the server of an event store does not mind
_PINGS = (("grpc.http2.min_ping_interval_without_data_ms", 10), ("grpc.http2.max_ping_strikes", 0))


class Double(streams_pb2_grpc.StreamsServicer, gossip_pb2_grpc.GossipServicer):
    """The server. Its counters say how many of the next replies or events are to go wrong."""

    def __init__(self, path: Path | None = None) -> None:
        self.log = Log(path)
        self.port = 0
        self.lost_replies = 0
        self.unplaced_replies = 0
        self.doubled_events = 0
        self.tells_positions = True
        self.in_flight = self.most_in_flight = 0
        self.subscriptions = 0
        self.requests = 0
        self._answers = asyncio.Event()
        self._answers.set()
        self._ending: asyncio.Future[tuple[grpc.StatusCode, str] | None] | None = None
        self._server: grpc.aio.Server | None = None

    @property
    def uri(self) -> str:
        return f"esdb://127.0.0.1:{self.port}?Tls=false"

    async def start(self, port: int = 0) -> None:
        """Listen on a port of the loopback interface."""
        self._ending = asyncio.get_running_loop().create_future()
        self._server = grpc.aio.server(options=(*_PINGS, ("grpc.so_reuseport", 0)))
        streams_pb2_grpc.add_StreamsServicer_to_server(self, self._server)
        gossip_pb2_grpc.add_GossipServicer_to_server(_Gossip(self), self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        await self._server.start()

    async def stop(self) -> None:
        """Stop at once; the log stays."""
        await self._server.stop(0)

    def end(self, how: tuple[grpc.StatusCode, str] | None = None) -> None:
        """End every subscription: cleanly, or with a status like TOO_SLOW or AWAY."""
        self._ending.set_result(how)
        self._ending = asyncio.get_running_loop().create_future()
        self.log.wake()

    def hang(self) -> None:
        """Take requests, but answer none from now on."""
        self._answers.clear()

    def answer(self) -> None:
        """Answer again, also what is waiting."""
        self._answers.set()

    def obey(self, line: str) -> None:
        """Do what one line says, such as `lose-reply 1`."""
        verb, _, argument = line.strip().partition(" ")
        match verb:
            case "end":
                self.end()
            case "abort":
                self.end(AWAY if argument == "unavailable" else TOO_SLOW)
            case "hang":
                self.hang() if argument == "on" else self.answer()
            case "forget":
                self.log.forgets_ids = argument == "on"
            case "lose-reply":
                self.lost_replies = int(argument)
            case "duplicate":
                self.doubled_events = int(argument)
            case "no-position":
                self.unplaced_replies = int(argument)
            case _:
                raise ValueError(line)

    async def BatchAppend(self, request_iterator, context) -> AsyncIterator[streams_pb2.BatchAppendResp]:  # noqa: N802
        async for wanted in request_iterator:
            self.requests += 1
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            try:
                await self._answers.wait()
                reply = await self._append(wanted)
            finally:
                self.in_flight -= 1
            if self.lost_replies and reply.HasField("success"):
                self.lost_replies -= 1
                await context.abort(*AWAY)
            yield reply

    async def Read(self, wanted, context) -> AsyncIterator[Response]:  # noqa: N802
        self.requests += 1
        await self._answers.wait()
        options = wanted.options
        if options.WhichOneof("count_option") == "subscription":
            responses = self._subscription(options, context)
        elif options.WhichOneof("stream_option") == "stream":
            responses = self._stream(options, context)
        else:
            responses = self._all(options, context)
        async for response in responses:
            yield response

    async def Tombstone(self, wanted, context) -> streams_pb2.TombstoneResp:  # noqa: N802
        self.log.append(request(wanted.options.stream_identifier.stream_name.decode(), "any", [(DELETED, b"", b"")]))
        return streams_pb2.TombstoneResp()

    async def _append(self, wanted) -> streams_pb2.BatchAppendResp:
        name = wanted.options.stream_identifier
        reply = streams_pb2.BatchAppendResp(correlation_id=wanted.correlation_id, stream_identifier=name)
        try:
            last = self.log.append(wanted)
        except WrongVersion as error:
            wrong = shared_pb2.WrongExpectedVersion(current_stream_revision=max(error.current, 0))
            if error.current < 0:
                wrong.current_no_stream.SetInParent()
            return _refused(reply, wrong)
        except Deleted:
            return _refused(reply, shared_pb2.StreamDeleted(stream_identifier=name))
        except TooMuch:
            return _refused(reply, shared_pb2.MaximumAppendSizeExceeded(maxAppendSize=MAX_APPEND_BYTES))
        await self.log.synced()
        reply.success.current_revision = last.stream_revision
        if self.unplaced_replies:
            self.unplaced_replies -= 1
            reply.success.no_position.SetInParent()
        else:
            reply.success.position.commit_position = last.commit_position
            reply.success.position.prepare_position = last.prepare_position
        return reply

    async def _stream(self, options: Options, context) -> AsyncIterator[Response]:
        name = options.stream.stream_identifier
        stream = name.stream_name.decode()
        if stream in self.log.deleted:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"Event stream '{stream}' is deleted.")
        events = self.log.streams.get(stream)
        if events is None:
            yield Response(stream_not_found=Response.StreamNotFound(stream_identifier=name))
            return
        place = options.stream.WhichOneof("revision_option")
        last = len(events) - 1
        begin = {"start": 0, "end": last}.get(place, min(options.stream.revision, last + 1))
        for event in _read(events, begin, options):
            await self._answers.wait()
            yield _read_event(event, placed=self.tells_positions)

    async def _all(self, options: Options, context) -> AsyncIterator[Response]:
        events = self.log.events
        back = options.read_direction == Options.Backwards
        begin = len(events) - 1 if back else 0
        if options.all.WhichOneof("all_option") == "position":
            begin = await self._index(options, context) - back  # backwards begins before the position
        for event in _read(events, begin, options):
            await self._answers.wait()
            yield _read_event(event)

    async def _index(self, options: Options, context) -> int:
        index = self.log.index(options.all.position.commit_position)
        if index is None:
            kind = "Filtered" if options.WhichOneof("filter_option") == "filter" else ""
            await context.abort(grpc.StatusCode.UNKNOWN, f"Unexpected {kind}ReadAllResult: InvalidPosition")
        return index

    async def _subscription(self, options: Options, context) -> AsyncIterator[Response]:
        if options.WhichOneof("stream_option") == "stream":
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "the double subscribes to $all alone")
        log, ending = self.log, self._ending
        place = options.all.WhichOneof("all_option")
        if place == "position":
            index = log.index_behind(options.all.position.commit_position)  # also where no event stands
        else:
            index = 0 if place == "start" else len(log.events)
        every = options.filter.max * options.filter.checkpointIntervalMultiplier
        passed_over = 0
        self.subscriptions += 1
        try:
            yield Response(confirmation=Response.SubscriptionConfirmation(subscription_id=str(uuid4())))
            while not ending.done():
                if index == len(log.events):
                    await log.grown.wait()
                    continue
                await self._answers.wait()
                event = log.events[index]
                index += 1
                if _matches(event, options):
                    yield _read_event(event)
                    if self.doubled_events:
                        self.doubled_events -= 1
                        yield _read_event(event)
                    continue
                passed_over += 1
                if every and passed_over % every == 0:
                    position = event.commit_position
                    yield Response(checkpoint=Response.Checkpoint(commit_position=position, prepare_position=position))
        finally:
            self.subscriptions -= 1
        if ending.result():
            await context.abort(*ending.result())


class _Gossip(gossip_pb2_grpc.GossipServicer):
    """The one member of the cluster; apart, because its method has the name of another service's."""

    def __init__(self, double: Double) -> None:
        self._double = double

    async def Read(self, wanted, context) -> gossip_pb2.ClusterInfo:  # noqa: N802
        member = gossip_pb2.MemberInfo(state=gossip_pb2.MemberInfo.VNodeState.Leader, is_alive=True)
        member.http_end_point.address, member.http_end_point.port = "127.0.0.1", self._double.port
        return gossip_pb2.ClusterInfo(members=[member])


def _refused(reply: streams_pb2.BatchAppendResp, reason: Message) -> streams_pb2.BatchAppendResp:
    details = any_pb2.Any()
    details.Pack(reason)
    reply.error.CopyFrom(status_pb2.Status(code=9, message=type(reason).__name__, details=details))
    return reply


def _read_event(event: Event, *, placed: bool = True) -> Response:
    content = Response.ReadEvent(event=event, commit_position=event.commit_position)
    if not placed:
        content.no_position.SetInParent()
    return Response(event=content)


def _read(events: list[Event], begin: int, options: Options) -> list[Event]:
    """As many matching events as are asked for, from a place on, in the direction asked for."""
    step = -1 if options.read_direction == Options.Backwards else 1
    found = []
    for index in range(begin, -1 if step < 0 else len(events), step):
        if len(found) >= options.count:
            break
        if _matches(events[index], options):
            found.append(events[index])
    return found


def _matches(event: Event, options: Options) -> bool:
    if options.WhichOneof("filter_option") != "filter":
        return True
    by = options.filter.WhichOneof("filter")
    wanted = getattr(options.filter, by)
    name = event.metadata["type"] if by == "event_type" else event.stream_identifier.stream_name.decode()
    return name.startswith(tuple(wanted.prefix)) if wanted.prefix else _found(wanted.regex, name)


@lru_cache(maxsize=10_000)
def _found(regex: str, name: str) -> bool:
    return re.search(regex, name) is not None


async def main(port: int, path: Path | None) -> None:
    """Serve until SIGTERM."""
    double = Double(path)
    await double.start(port)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)

    def listen() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(double.obey, line)

    threading.Thread(target=listen, daemon=True).start()
    print(double.uri, flush=True)
    await stopped.wait()
    await double.stop()
    double.log.close()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--file", type=Path)
    given = arguments.parse_args()
    asyncio.run(main(given.port, given.file))
