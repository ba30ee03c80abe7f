"""Streams read by themselves against the whole log, on a server and in a file."""

import apsw
import pytest
from esdb_double import Double
from topics_kit import fill

from shared.chain import Chain
from shared.eventstoredb import EventStoreDB
from shared.sqlite_store import SqliteStore
from shared.stream_reads import StreamReads

EVENTS = 250


@pytest.fixture
async def double():
    double = Double()
    await double.start()
    yield double
    await double.stop()


@pytest.fixture
async def served(double):
    store = await EventStoreDB.open(double.uri)
    await fill(store, range(EVENTS))
    yield store
    await store.close()


async def taken(store, **how):
    """The whole log, checked."""
    chain = Chain(**how)
    async for page in store.pages(0):
        for event in page.events:
            chain.check(event)
    assert chain.first_bad is None
    return chain


async def compared(store, chain):
    reads = StreamReads(store, chain)
    done = [step async for step in reads.steps()]
    assert (reads.difference is None) == (bool(done) and done[-1] == chain.streams)
    return reads.difference


async def test_whole_stores_read_the_same_both_ways_also_while_they_grow(served, tmp_path):
    file = SqliteStore(tmp_path / "events.db")
    await fill(file, range(EVENTS))
    for store, how in ((served, {}), (file, {"gapless": True})):
        chain = await taken(store, **how)
        assert chain.events == EVENTS
        await fill(store, range(EVENTS, EVENTS + 200))
        assert await compared(store, chain) is None
    await file.close()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda streams, name: streams[name].pop(), "ends at version"),
        (lambda streams, name: streams[name].pop(0), "cannot be read by itself"),
        (lambda streams, name: streams.pop(name), "ends at version -1"),
        (lambda streams, name: streams[name].append(streams[name][-1]), "cannot be read by itself"),
    ],
)
async def test_a_stream_that_a_server_reads_otherwise_is_named(served, double, spoil, said):
    chain = await taken(served)
    name = list(chain.ends)[40]
    spoil(double.log.streams, name)
    difference = await compared(served, chain)
    assert difference.startswith(f"{name} {said}")


async def test_an_event_that_differs_when_its_stream_is_read_is_named(served, double):
    chain = await taken(served)
    name, other = list(chain.ends)[3], list(chain.ends)[4]
    last, foreign = double.log.streams[name][-1], double.log.streams[other][-1]
    changed = type(last)()
    changed.CopyFrom(last)
    changed.custom_metadata = foreign.custom_metadata
    double.log.streams[name][-1] = changed
    assert (await compared(served, chain)).startswith(f"{name} has another event of version {last.stream_revision}")


async def test_a_stream_that_was_deleted_on_the_server_is_named(served, double):
    chain = await taken(served)
    name = list(chain.ends)[5]
    double.log.deleted.add(name)
    assert (await compared(served, chain)).startswith(f"{name} cannot be read by itself")


async def test_an_event_that_a_load_does_not_find_is_missed(tmp_path):
    store = SqliteStore(tmp_path / "events.db")
    await fill(store, range(EVENTS))
    chain = await taken(store, gapless=True)
    name = list(chain.ends)[9]
    with apsw.Connection(str(tmp_path / "events.db")) as db:
        db.execute(
            "UPDATE events SET stream_id = -1 WHERE position = (SELECT max(position) FROM events"
            " JOIN streams ON streams.id = stream_id WHERE name = ?)",
            (name,),
        )
    assert (await compared(store, chain)).startswith(f"{name} ends at version")
    await store.close()


async def test_a_position_that_is_missing_in_a_file_is_found_where_it_was(tmp_path):
    store = SqliteStore(tmp_path / "events.db")
    await fill(store, range(EVENTS))
    events = [event async for page in store.pages(0) for event in page.events]
    chain = Chain(gapless=True)
    for event in events[:99] + events[100:]:
        chain.check(event)
    assert chain.first_bad == 100
    await store.close()
