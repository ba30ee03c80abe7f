"""What the double of an event store does as a real server does: proved on both, with the client and nothing of ours."""

import asyncio
from uuid import uuid4

import pytest
from esdb_double import Double
from esdb_log import Log, request
from kurrentdbclient import AsyncKurrentDBClient, NewEvent, StreamState
from kurrentdbclient.exceptions import (
    KurrentDBClientError,
    MaximumAppendSizeExceededError,
    NotFoundError,
    StreamIsDeletedError,
    WrongCurrentVersionError,
)


@pytest.fixture
async def double():
    double = Double()
    await double.start()
    yield double.uri
    await double.stop()


@pytest.fixture(params=["double", "eventstoredb"])
def uri(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
async def client(uri):
    async with AsyncKurrentDBClient(uri) as client:
        yield client


@pytest.fixture
def stream():
    return f"probe-{uuid4()}"


def new(type_="probe.Made", size=2):
    return NewEvent(type=type_, data=b'"%s"' % (b"x" * (size - 2)), metadata=b"{}")


@pytest.mark.parametrize("expected", [StreamState.NO_STREAM, 0, 2, 7])
async def test_an_append_elsewhere_than_at_the_end_is_refused(client, stream, expected):
    await client.append_to_stream(stream, events=[new(), new()], current_version=StreamState.NO_STREAM)
    with pytest.raises(WrongCurrentVersionError) as refused:
        await client.append_to_stream(stream, events=[new()], current_version=expected)
    assert refused.value.actual_version == 1
    assert len(await client.get_stream(stream)) == 2


@pytest.mark.parametrize("expected", [StreamState.EXISTS, 0])
async def test_an_append_to_a_stream_that_does_not_exist_is_refused(client, stream, expected):
    with pytest.raises(WrongCurrentVersionError) as refused:
        await client.append_to_stream(stream, events=[new()], current_version=expected)
    assert refused.value.actual_version is StreamState.NO_STREAM
    with pytest.raises(NotFoundError):
        await client.get_stream(stream)


async def test_the_same_ids_at_the_same_place_are_done_and_not_written_again(client, stream):
    events = [new(), new()]
    await client.append_to_stream(stream, events=events, current_version=StreamState.NO_STREAM)
    await client.append_to_stream(stream, events=[new()], current_version=1)
    for expected in (StreamState.NO_STREAM, StreamState.ANY):
        await client.append_to_stream(stream, events=events, current_version=expected)
    for others in (events[::-1], [events[0], new()], events[1:]):
        with pytest.raises(WrongCurrentVersionError):
            await client.append_to_stream(stream, events=others, current_version=StreamState.NO_STREAM)
    assert len(await client.get_stream(stream)) == 3


async def test_an_append_over_the_limit_is_refused(client, stream):
    with pytest.raises(MaximumAppendSizeExceededError):
        await client.append_to_stream(
            stream, events=[new(size=250_000) for _ in range(5)], current_version=StreamState.NO_STREAM
        )


async def test_a_tombstoned_stream_can_be_neither_read_nor_written(client, stream):
    await client.append_to_stream(stream, events=[new()], current_version=StreamState.NO_STREAM)
    await client.tombstone_stream(stream, current_version=StreamState.ANY)
    with pytest.raises(StreamIsDeletedError):
        await client.get_stream(stream)
    with pytest.raises(StreamIsDeletedError):
        await client.append_to_stream(stream, events=[new()], current_version=StreamState.ANY)


async def test_a_stream_is_read_from_either_end(client, stream):
    await client.append_to_stream(stream, events=[new() for _ in range(5)], current_version=StreamState.NO_STREAM)

    async def versions(**which):
        return [event.stream_position for event in await client.get_stream(stream, **which)]

    assert await versions(stream_position=3) == [3, 4]
    assert await versions(stream_position=5) == []
    assert await versions(backwards=True, limit=2) == [4, 3]
    assert await versions(stream_position=1, backwards=True) == [1, 0]


async def test_the_log_is_read_from_a_position_on_and_subscribed_to_behind_it(client, stream):
    for version in (StreamState.NO_STREAM, 0, 1, 2):
        last = await client.append_to_stream(stream, events=[new(stream)], current_version=version)
    positions = [event.commit_position for event in await client.get_stream(stream)]
    assert positions == sorted(set(positions))
    assert positions[-1] == last
    assert positions[1] > positions[0] + 1

    async def read(**which):
        found = await client.read_all(filter_include=[stream], **which)
        return [event.commit_position async for event in found]

    assert await read(commit_position=positions[1]) == positions[1:]
    assert await read(commit_position=positions[2], backwards=True) == positions[1::-1]
    assert await read(limit=2) == positions[:2]
    async with await client.subscribe_to_all(commit_position=positions[1], filter_include=[stream]) as subscription:
        assert [(await anext(subscription)).commit_position for _ in range(2)] == positions[2:]


async def test_the_log_cannot_be_read_from_where_no_event_stands(client, stream):
    position = await client.append_to_stream(stream, events=[new()], current_version=StreamState.NO_STREAM)
    with pytest.raises(KurrentDBClientError):
        [event async for event in await client.read_all(commit_position=position + 1)]


async def test_filters_by_type_and_by_stream_take_prefixes_and_patterns(client, stream):
    types = [f"{stream}.{end}" for end in ("A", "B", "AB")]
    await client.append_to_stream(stream, events=[new(t) for t in types], current_version=StreamState.NO_STREAM)

    async def read(*patterns, **how):
        found = await client.read_all(filter_include=patterns, **how)
        return [event.type for event in [event async for event in found] if event.stream_name == stream]

    assert await read(types[0], filter_by_prefix=True) == [types[0], types[2]]
    assert await read(f"(?:{types[0]}|{types[1]})") == types[:2]
    assert await read(types[0], types[1]) == types  # each pattern is anchored at one end alone
    assert await read(stream, filter_by_stream_name=True) == types
    assert await read("nothing", filter_by_stream_name=True, filter_by_prefix=True) == []


async def test_checkpoints_come_while_a_filter_passes_over_events(client, stream):
    start = await client.append_to_stream(stream, events=[new(stream)], current_version=StreamState.NO_STREAM)
    await client.append_to_stream(stream, events=[new() for _ in range(400)], current_version=0)
    async with await client.subscribe_to_all(
        commit_position=start, filter_include=[stream], include_checkpoints=True
    ) as subscription:
        first = await anext(subscription)
        assert first.is_checkpoint
        assert first.commit_position > start


async def test_the_double_keeps_its_log_in_a_file_and_cuts_off_what_was_torn(tmp_path):
    path = tmp_path / "log"
    log = Log(path)
    for number in range(3):
        log.append(request("a", "any", [("probe.Made", b"%d" % number, b"{}")] * 2))
    await log.synced()
    log.close()
    written = list(log.events)
    path.write_bytes(path.read_bytes()[:-7])
    again = Log(path)
    assert again.events == written[:-2]
    last = again.append(request("a", 3, [("probe.Made", b"3", b"{}")]))
    again.close()
    assert Log(path).events == [*written[:-2], last]


async def test_the_double_reads_a_page_of_a_long_log_without_looking_at_all_of_it():
    double = Double()
    for number in range(500):
        double.log.append(request(f"s-{number}", "no_stream", [("probe.Made", b"{}", b"{}")] * 100))
    await double.start()
    client = AsyncKurrentDBClient(double.uri)
    middle = double.log.events[25_000].commit_position
    async with asyncio.timeout(2):
        for _ in range(10):
            events = await client.read_all(commit_position=middle, limit=20, filter_include=["probe.Made"])
            assert len([event async for event in events]) == 20
    await client.close()
    await double.stop()
