"""What every event store adapter keeps. A further adapter is one more entry in ADAPTERS."""

import asyncio
import itertools
import json
import random
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import apsw
import pytest
from esdb_double import Double

from shared import sqlite_writer
from shared.envelope import NO_STREAM, Draft, Head, Metadata, chained, pack
from shared.errors import Conflict, StoreFailed, StoreInUse, TooLarge
from shared.eventstoredb import EventStoreDB
from shared.sqlite_store import SqliteStore
from shared.store import MAX_EVENT_BYTES, PAGE_EVENTS, EventStore


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[EventStore]:
    store = SqliteStore(folder / "events.db")
    yield store
    await store.close()


@asynccontextmanager
async def connected(uri: str) -> AsyncIterator[EventStore]:
    store = await EventStoreDB.open(uri)
    yield store
    await store.close()


@asynccontextmanager
async def doubled(folder: Path) -> AsyncIterator[EventStore]:
    double = Double(folder / "events.log")
    await double.start()
    async with connected(double.uri) as store:
        yield store
    await double.stop()
    double.log.close()


ADAPTERS: dict[str, Callable] = {
    "sqlite": lambda request: sqlite(request.getfixturevalue("tmp_path")),
    "eventstoredb double": lambda request: doubled(request.getfixturevalue("tmp_path")),
    "eventstoredb": lambda request: connected(request.getfixturevalue("eventstoredb")),
}
"""What opens a store, each time with the same data. That of the last is shared with others and not empty."""


@pytest.fixture(params=ADAPTERS)
def reopen(request):
    return lambda: ADAPTERS[request.param](request)


@pytest.fixture
async def store(reopen):
    async with reopen() as store:
        yield store


@pytest.fixture
async def start(store):
    """Where the log ended before the test."""
    return await store.position()


@pytest.fixture
def own():
    """Gives streams names that no other test uses."""
    mark = uuid4().hex
    return lambda name: f"{name}-{mark}"


def draft(type_="crm.test.Happened", subject="customer-1", schema=1, **data) -> Draft:
    meta = Metadata(subject, "test", str(uuid4()), "0", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z")
    return Draft(uuid4().bytes, type_, schema, subject, json.dumps(data).encode(), pack(meta))


async def everything(store, after, types=None):
    return [event async for page in store.pages(after, types=types) for event in page.events]


async def test_a_new_stream_starts_at_version_zero(store, own):
    history = await store.load(own("order"))
    assert history.events == ()
    assert history.head == NO_STREAM
    recorded = await store.append(own("order"), history.head, [draft(n=1), draft(n=2)])
    assert [event.version for event in recorded] == [0, 1]
    assert (await store.load(own("order"))).events == tuple(recorded)


async def test_what_was_appended_is_read_back_byte_for_byte(store, own):
    one = draft(text="ž – 漢 – \u2028", schema=12)
    (recorded,) = await store.append(own("order"), NO_STREAM, [one])
    (loaded,) = (await store.load(own("order"))).events
    assert loaded == recorded
    assert loaded[3:9] == one


async def test_the_hash_chains_each_event_to_the_one_before(store, own):
    await store.append(own("order"), NO_STREAM, [draft(), draft()])
    history = await store.load(own("order"))
    await store.append(own("order"), history.head, [draft()])
    previous = NO_STREAM.hash
    for event in (await store.load(own("order"))).events:
        assert event.hash == chained(previous, own("order"), event.version, event)
        previous = event.hash
    assert (await store.load(own("order"))).head == Head(2, previous)


async def test_an_append_to_an_older_head_conflicts_and_changes_nothing(store, own, start):
    await store.append(own("order"), NO_STREAM, [draft()])
    head = (await store.load(own("order"))).head
    await store.append(own("order"), head, [draft()])
    for old in (NO_STREAM, head, Head(1, b"x" * 32), Head(9, head.hash)):
        with pytest.raises(Conflict):
            await store.append(own("order"), old, [draft(), draft()])
    assert len(await everything(store, start)) == 2


async def test_one_of_many_that_append_at_once_wins(store, own):
    outcomes = await asyncio.gather(
        *(store.append(own("order"), NO_STREAM, [draft(n=n)]) for n in range(50)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 49
    assert len((await store.load(own("order"))).events) == 1


async def test_one_of_many_that_append_the_same_ids_at_once_wins(store, own):
    once = draft()
    outcomes = await asyncio.gather(
        *(store.append(own("order"), NO_STREAM, [once._replace(data=b"%d" % n)]) for n in range(50)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 49
    (standing,) = (await store.load(own("order"))).events
    assert [standing] in outcomes


async def test_appends_that_arrive_together_all_stand_in_one_order(store, own, start):
    done = await asyncio.gather(*(store.append(own(f"order-{n}"), NO_STREAM, [draft(n=n)] * 3) for n in range(300)))
    order = [event.position for event in await everything(store, start)]
    assert sorted(event.position for some in done for event in some) == order
    place = {position: number for number, position in enumerate(order)}
    assert all(place[some[0].position] + 2 == place[some[2].position] for some in done)


async def test_positions_only_grow_and_pages_end_at_the_head(store, own, start):
    for n in range(PAGE_EVENTS // 100 + 3):
        await asyncio.gather(*(store.append(own(f"s-{n}-{m}"), NO_STREAM, [draft()]) for m in range(100)))
    pages = [page async for page in store.pages(start)]
    positions = [event.position for page in pages for event in page.events]
    assert positions == sorted(set(positions))
    assert len(positions) == PAGE_EVENTS + 300
    assert pages[-1].position == await store.position() == positions[-1]
    assert [e.position for e in await everything(store, positions[500])] == positions[501:]


async def test_pages_of_some_types_pass_over_the_others_and_say_how_far(store, own, start):
    drafts = [draft("crm.test.A"), draft("crm.test.B", schema=2), draft("crm.test.A"), draft("crm.test.AB")]
    await store.append(own("a"), NO_STREAM, drafts)
    assert [event.type for event in await everything(store, start, types=["crm.test.B"])] == ["crm.test.B"]
    both = await everything(store, start, types=["crm.test.A", "crm.test.B"])
    assert [event.version for event in both] == [0, 1, 2]
    pages = [page async for page in store.pages(start, types=["crm.test.Nothing"])]
    assert [(page.events, page.position) for page in pages] == [([], await store.position())]
    assert [page async for page in store.pages(await store.position())] == []


async def test_followers_see_what_comes_later(store, own, start):
    await store.append(own("a"), NO_STREAM, [draft(n=0)])
    seen = []

    async def follow():
        async for page in store.follow(start):
            seen.extend(page.events)
            if len(seen) == 20:
                return

    following = asyncio.create_task(follow())
    for n in range(1, 20):
        await store.append(own(f"a-{n}"), NO_STREAM, [draft(n=n)])
    await asyncio.wait_for(following, 10)
    assert seen == await everything(store, start)


async def test_followers_of_some_types_pass_over_the_others_and_say_how_far(store, own, start):
    following = store.follow(start, types=["crm.test.B"])
    await store.append(own("a"), NO_STREAM, [draft("crm.test.A"), draft("crm.test.B"), draft("crm.test.A")])
    head = await store.position()
    seen = []
    async for page in following:
        seen += page.events
        if page.position == head:
            break
    await following.aclose()
    assert [event.version for event in seen] == [1]


async def test_an_event_over_the_cap_is_refused_before_anything_is_written(store, own, start):
    with pytest.raises(TooLarge, match="crm.test.Happened"):
        await store.append(own("a"), NO_STREAM, [draft(), draft(text="x" * MAX_EVENT_BYTES)])
    assert await store.position() == start


async def test_everything_is_there_after_a_restart_under_the_same_id(reopen, own):
    async with reopen() as store:
        identity = store.id
        start = await store.position()
        await store.append(own("a"), NO_STREAM, [draft(), draft()])
        before = await everything(store, start)
        assert len(before) == 2
    async with reopen() as store:
        assert store.id == identity
        assert await everything(store, start) == before
        head = (await store.load(own("a"))).head
        (event,) = await store.append(own("a"), head, [draft()])
        assert event.version == 2
        assert event.position > before[-1].position


async def appended(store, stream):
    """An event behind the current end, wherever one that is still on its way puts that, and what stood before it."""
    while True:
        history = await store.load(stream)
        try:
            (event,) = await store.append(stream, history.head, [draft()])
        except Conflict:
            continue
        return history.events, event


async def test_a_caller_that_is_cancelled_leaves_a_whole_stream(store, own):
    appending = asyncio.create_task(store.append(own("a"), NO_STREAM, [draft()]))
    await asyncio.sleep(0)
    appending.cancel()
    await asyncio.gather(appending, return_exceptions=True)
    before, event = await appended(store, own("a"))
    assert event.version == len(before)


async def test_random_appends_keep_every_stream_whole(store, own):
    rng = random.Random(11)
    for _ in range(200):
        stream = own(f"s-{rng.randrange(9)}")
        history = await store.load(stream)
        await store.append(stream, history.head, [draft() for _ in range(rng.randint(1, 4))])
    for n in range(9):
        events = (await store.load(own(f"s-{n}"))).events
        assert [event.version for event in events] == list(range(len(events)))


async def test_a_second_writing_process_is_refused(tmp_path):
    async with sqlite(tmp_path):
        with pytest.raises(StoreInUse, match="one writer"):
            SqliteStore(tmp_path / "events.db")
        beside = SqliteStore(tmp_path / "events.db", writable=False)
        with pytest.raises(StoreFailed, match="reading only"):
            await beside.append("a", NO_STREAM, [draft()])
        await beside.close()


async def test_a_reader_beside_the_writer_follows_it(tmp_path):
    async with sqlite(tmp_path) as store:
        await store.append("a", NO_STREAM, [draft()])
        beside = SqliteStore(tmp_path / "events.db", writable=False)
        await store.append("b", NO_STREAM, [draft()])
        assert await beside.position() == 2
        assert len(await everything(beside, 0)) == 2
        await beside.close()


async def test_a_full_disk_fails_the_append_and_nothing_of_it_stays(tmp_path):
    async with sqlite(tmp_path) as store:
        await store.append("a", NO_STREAM, [draft()])
        pages = store._db.pragma("page_count")
        store._db.pragma("max_page_count", pages + 1)
        with pytest.raises(StoreFailed, match="not durable"):
            await asyncio.gather(*(store.append(f"b-{n}", NO_STREAM, [draft(text="x" * 50_000)]) for n in range(9)))
        store._db.pragma("max_page_count", 1_000_000)
        assert await store.position() == 1
        (event,) = await store.append("c", NO_STREAM, [draft()])
        assert event.position == 2


class _FailingDisk:
    """A connection whose commits fail as they do when the disk reports an error."""

    def __init__(self, db):
        self._db = db

    def __getattr__(self, name):
        return getattr(self._db, name)

    def execute(self, statement, *bound):
        if statement == "COMMIT":
            raise apsw.IOError("disk I/O error")
        return self._db.execute(statement, *bound)


async def test_after_a_disk_error_nothing_more_is_accepted_until_the_store_is_opened_again(tmp_path):
    async with sqlite(tmp_path) as store:
        await store.append("a", NO_STREAM, [draft()])
        sound, store._writer._db = store._writer._db, _FailingDisk(store._writer._db)
        with pytest.raises(StoreFailed, match="disk failed"):
            await store.append("b", NO_STREAM, [draft()])
        store._writer._db = sound
        with pytest.raises(StoreFailed, match="start again"):
            await store.append("c", NO_STREAM, [draft()])
    async with sqlite(tmp_path) as store:
        assert await store.position() == 1
        (event,) = await store.append("c", NO_STREAM, [draft()])
        assert event.position == 2


async def test_a_slow_disk_is_committed_to_beside_the_loop_and_a_fast_one_on_it(tmp_path):
    async with sqlite(tmp_path) as store:
        threads = []
        commit = store._writer.commit
        store._writer.commit = lambda batch: threads.append(threading.current_thread()) or commit(batch)
        for disk_seconds in (10.0, 0.0):
            store._disk_seconds = disk_seconds
            await store.append(f"after-{disk_seconds}", NO_STREAM, [draft()])
        beside, on_it = threads
        assert beside is not threading.main_thread()
        assert on_it is threading.main_thread()


async def test_many_appends_beside_the_loop_stand_in_one_order(tmp_path):
    async with sqlite(tmp_path) as store:
        store._disk_seconds = 10.0
        done = await asyncio.gather(*(store.append(f"s-{n}", NO_STREAM, [draft()]) for n in range(1000)))
        assert sorted(some[0].position for some in done) == list(range(1, 1001))


async def test_many_appends_share_one_fsync(tmp_path):
    async with sqlite(tmp_path) as store:
        commits = itertools.count()
        store._db.set_commit_hook(lambda: next(commits) < 0)
        await store.append("a", NO_STREAM, [draft()])
        before = next(commits)
        await asyncio.gather(*(store.append(f"s-{n}", NO_STREAM, [draft()]) for n in range(64)))
        assert next(commits) - before == 2


async def test_streams_that_are_no_longer_in_memory_go_on_where_they_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_writer, "_CACHED_STREAMS", 10)
    rng = random.Random(7)
    async with sqlite(tmp_path) as store:
        heads = dict.fromkeys((f"s-{n}" for n in range(100)), NO_STREAM)
        for _ in range(100):
            asked = rng.sample(list(heads), 5)
            old = {stream: heads[stream] for stream in asked}
            done = await asyncio.gather(*(store.append(s, heads[s], [draft(subject=rng.choice(asked))]) for s in asked))
            heads |= {event.stream: Head(event.version, event.hash) for (event,) in done}
            with pytest.raises(Conflict):
                await store.append(asked[0], old[asked[0]], [draft()])
        assert {stream: (await store.load(stream)).head for stream in heads} == heads
        assert len(await everything(store, 0)) == 500


async def test_what_the_heads_in_memory_missed_the_index_catches_and_only_the_loser_fails(tmp_path):
    async with sqlite(tmp_path) as store:
        await store.append("a", NO_STREAM, [draft()])
        head = (await store.load("a")).head
        await store.append("a", head, [draft()])
        store._writer._known["a"].head = head
        won, lost = await asyncio.gather(
            store.append("b", NO_STREAM, [draft()]), store.append("a", head, [draft()]), return_exceptions=True
        )
        assert isinstance(lost, Conflict)
        assert await everything(store, 2) == won
        (event,) = await store.append("a", (await store.load("a")).head, [draft()])
        assert event.version == 2


async def test_an_append_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    async with sqlite(tmp_path) as store:
        with pytest.raises(StoreFailed, match="not durable"):
            await store.append("a", NO_STREAM, [draft(), draft(type_="crm.test.\ud800")])
        assert await everything(store, 0) == []
        assert await store.append("a", NO_STREAM, [draft()]) == await everything(store, 0)


async def test_an_append_of_no_events_names_nothing(tmp_path):
    async with sqlite(tmp_path) as store:
        assert await store.append("a", NO_STREAM, []) == []
        assert await store.append("a", NO_STREAM, [draft()]) == await everything(store, 0)
