"""The EventStoreDB adapter while the server, the connection or a reply fails."""

import asyncio
import gc
from contextlib import asynccontextmanager
from itertools import count
from uuid import uuid4

import pytest
import servers
from esdb_double import AWAY, TOO_SLOW, Double
from esdb_log import request
from kurrentdbclient import AsyncKurrentDBClient
from topics_kit import assert_chained, draft, until

from shared.envelope import NO_STREAM, Head
from shared.errors import Conflict, StoreFailed, TooLarge, UnreadableEvent
from shared.eventstoredb import EventStoreDB
from shared.eventstoredb_client import with_defaults

IMPATIENT = "&DefaultDeadline=1&KeepAliveInterval=1000&KeepAliveTimeout=1000"


@pytest.fixture
async def double():
    double = Double()
    await double.start()
    yield double
    await double.stop()


@asynccontextmanager
async def opened(uri):
    store = await EventStoreDB.open(f"{uri}{IMPATIENT}")
    yield store
    await store.close()


@pytest.fixture
async def store(double):
    async with opened(double.uri) as store:
        yield store


@pytest.fixture
def process(tmp_path):
    """The double as a process that a test may stop and kill."""
    server = servers.DoubledEventStore(tmp_path)
    yield server
    server.kill()


@asynccontextmanager
async def followed(store, after=0):
    """What a follower sees, in a list that grows."""
    seen = []

    following = asyncio.create_task(exhaust(store.follow(after), seen))
    try:
        yield seen
    finally:
        following.cancel()
        (outcome,) = await asyncio.gather(following, return_exceptions=True)
    assert isinstance(outcome, asyncio.CancelledError), outcome


async def exhaust(pages, seen):
    async for page in pages:
        seen += page.events


async def everything(store):
    return [event async for page in store.pages(0) for event in page.events]


async def grow(store, stream, numbers):
    """One event after the other; the head behind the last."""
    head = (await store.load(stream)).head
    for number in numbers:
        (event,) = await store.append(stream, head, [draft(number)])
        head = Head(event.version, event.hash)
    return head


async def sees_all(store, seen):
    head = await store.position()
    await until(lambda: seen and seen[-1].position >= head)
    assert seen == await everything(store)


@pytest.mark.parametrize("how", [None, TOO_SLOW, AWAY])
async def test_a_subscription_that_ends_is_taken_up_where_it_stopped(double, store, how):
    async with followed(store) as seen:
        for number in range(5):
            await grow(store, "a", range(10 * number, 10 * number + 10))
            await until(lambda: double.subscriptions == 1)
            double.end(how)
        await sees_all(store, seen)
    assert len(seen) == 50


async def test_events_that_are_delivered_twice_are_given_once(double, store):
    double.doubled_events = 30
    async with followed(store) as seen:
        await grow(store, "a", range(40))
        await sees_all(store, seen)


async def test_a_follower_begins_again_at_what_it_has_processed_and_not_at_what_others_wrote(double, store):
    async with followed(store) as seen:
        await grow(store, "a", range(3))
        for number in range(400):  # as many as bring checkpoints
            double.log.append(request("elsewhere", "any", [("theirs", b"%d" % number, b"")]))
        double.end()
        await grow(store, "a", range(3, 6))
        await sees_all(store, seen)


async def test_what_keeps_a_follower_from_going_on_is_told_until_it_goes_on(double, store):
    async with followed(store) as seen:
        await grow(store, "a", range(3))
        await until(lambda: len(seen) == 3)
        assert store.failing is None
        double.hang()
        double.end()
        await until(lambda: store.failing)
        double.answer()
        await until(lambda: not store.failing)
    assert store.failing is None


async def test_a_position_from_beyond_the_end_is_told_instead_of_waited_at(store):
    head = await grow(store, "a", range(3))
    end = await store.position()
    async with followed(store, after=end + 100) as seen:
        await until(lambda: store.failing)
        assert f"ends at {end}" in store.failing
        while await store.position() <= end + 100:
            (event,) = await store.append("a", head, [draft(head.version + 1)])
            head = Head(event.version, event.hash)
    assert seen == []


async def test_nothing_is_left_running_when_a_follower_ends(process):
    troubles = []
    asyncio.get_running_loop().set_exception_handler(lambda _, trouble: troubles.append(trouble))
    async with opened(process.uri) as store:
        before = asyncio.all_tasks()
        async with followed(store) as seen:
            await grow(store, "a", range(3))
            await until(lambda: len(seen) == 3)
            process.tell("abort unavailable")
        pages = store.follow(0)
        await anext(pages)
        process.tell("end")
        await pages.aclose()
        await until(lambda: asyncio.all_tasks() <= before, seconds=10)
    gc.collect()
    assert troubles == []


async def test_a_reply_that_is_lost_leaves_the_events_once(double, store):
    double.lost_replies = 1
    recorded = await store.append("a", NO_STREAM, [draft(1), draft(2)])
    assert tuple(recorded) == (await store.load("a")).events == tuple(await everything(store))


async def test_a_reply_that_stays_lost_fails_and_the_repetition_finds_the_events(double, store):
    drafts = [draft(1), draft(2)]
    double.lost_replies = 100
    with pytest.raises(StoreFailed, match="nobody knows"):
        await store.append("a", NO_STREAM, drafts)
    double.lost_replies = 0
    recorded = await store.append("a", NO_STREAM, drafts)
    assert recorded == await everything(store)


async def test_a_server_that_has_forgotten_the_ids_does_not_turn_a_repetition_into_a_conflict(double, store):
    double.lost_replies = 1
    double.log.forgets_ids = True
    recorded = await store.append("a", NO_STREAM, [draft(1), draft(2)])
    assert tuple(recorded) == tuple(await everything(store))


async def test_a_reply_without_a_position_is_enough(double, store):
    double.unplaced_replies = 1
    (event,) = await store.append("a", NO_STREAM, [draft(1)])
    assert event.position == await store.position() > 0


async def test_two_replicas_that_handle_one_command_at_once_do_not_both_win(double, store):
    first = draft(1)
    async with opened(double.uri) as beside:
        (event,) = await store.append("a", NO_STREAM, [first])
        with pytest.raises(Conflict):
            await beside.append("a", NO_STREAM, [first._replace(data=b"{}")])
        assert (await beside.load("a")).events == (event,)


async def test_a_server_that_does_not_answer_fails_a_call_in_time_and_is_used_again_afterwards(double, store):
    new = draft(1)
    double.hang()
    async with asyncio.timeout(10):
        outcomes = await asyncio.gather(
            store.load("a"), store.append("a", NO_STREAM, [new]), store.position(), return_exceptions=True
        )
    assert all(isinstance(outcome, StoreFailed) for outcome in outcomes), outcomes
    double.answer()
    recorded = await store.append("a", NO_STREAM, [new])
    assert recorded == await everything(store)


async def test_pages_go_on_behind_the_last_when_a_read_breaks_off(double, store):
    for stream in range(12):
        await store.append(f"s-{stream}", NO_STREAM, [draft(100 * stream + number) for number in range(100)])
    pages = store.pages(0)
    seen = list((await anext(pages)).events)
    port = double.port
    await double.stop()
    resuming = asyncio.create_task(anext(pages))
    await asyncio.sleep(0)
    await double.start(port)
    seen += (await resuming).events
    async for page in pages:
        seen += page.events
    assert seen == await everything(store)
    assert len(seen) == 1200


async def test_a_server_that_is_away_fails_what_is_read_and_written_and_says_so(double, store):
    await double.stop()
    with pytest.raises(StoreFailed, match="the store cannot be read"):
        await store.load("a")
    with pytest.raises(StoreFailed, match="the store cannot be read"):
        await everything(store)
    with pytest.raises(StoreFailed, match="nobody knows whether"):
        await store.append("a", NO_STREAM, [draft(1)])
    with pytest.raises(StoreFailed):
        await EventStoreDB.open(f"{double.uri}{IMPATIENT}")


async def test_a_read_is_whole_although_the_client_reconnects_meanwhile(double, store):
    await store.append("a", NO_STREAM, [draft(number) for number in range(100)])
    before, connection = double.requests, store._client._client.connection_id
    double.hang()
    loading, paging = asyncio.create_task(store.load("a")), asyncio.create_task(everything(store))
    await until(lambda: double.requests == before + 2)
    reconnecting = asyncio.create_task(store._client._client.reconnect())
    await until(lambda: store._client._client.connection_id != connection)
    double.answer()
    assert len((await loading).events) == len(await paging) == 100
    await reconnecting


async def test_the_callers_own_cancellation_passes(double, store):
    double.hang()
    for call in (store.load("a"), store.append("a", NO_STREAM, [draft(1)]), store.position(), anext(store.pages(0))):
        before = double.requests
        calling = asyncio.ensure_future(call)
        await until(lambda before=before: double.requests > before)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling


async def test_at_most_64_calls_are_under_way(double, store):
    double.hang()
    appending = [asyncio.create_task(store.append(f"s-{n}", NO_STREAM, [draft(n)])) for n in range(200)]
    await until(lambda: double.in_flight >= 64)
    double.answer()
    await asyncio.gather(*appending)
    assert double.most_in_flight == 64


async def test_the_hash_of_the_head_is_compared_also_when_it_is_not_known_yet(double, store):
    head = await grow(store, "a", range(3))
    wrong = Head(head.version, bytes(32))
    with pytest.raises(Conflict):
        await store.append("a", wrong, [draft(3)])
    async with opened(double.uri) as beside:
        with pytest.raises(Conflict):
            await beside.append("a", wrong, [draft(3)])
        await beside.append("a", head, [draft(3)])
    with pytest.raises(Conflict):
        await store.append("a", head, [draft(4)])
    assert len((await store.load("a")).events) == 4


@pytest.mark.parametrize(
    "metadata", [b"", b"{}", b'{"subject":"x","schema":1,"hash":"%s"}' % (b"0" * 64), b'{"schema":1,"hash":"00"}']
)
async def test_an_event_of_somebody_else_under_our_names_is_named(double, store, metadata):
    recorded = await store.append("a", NO_STREAM, [draft(1)])
    double.log.append(request("a", "any", [("crm.trials.TrialHeld", b"{}", metadata)]))
    with pytest.raises(UnreadableEvent, match="version 1 of a, was not written by Rapport"):
        await store.load("a")
    with pytest.raises(UnreadableEvent, match="version 1 of a"):
        await everything(store)
    seen = []
    with pytest.raises(UnreadableEvent, match="version 1 of a"):
        await exhaust(store.follow(0), seen)
    assert seen == recorded


async def test_what_others_keep_on_the_server_is_passed_over(double, store):
    await grow(store, "a", range(2))
    before = await store.position()
    double.log.append(request("theirs", "no_stream", [("Crm.like", b"", b""), ("my.crm.test", b"{", b"?")]))
    assert await store.position() == before
    assert len(await everything(store)) == 2


async def test_a_stream_that_was_deleted_on_the_server_is_not_taken_for_a_new_one(double, store):
    await grow(store, "a", range(2))
    client = AsyncKurrentDBClient(double.uri)
    await client.tombstone_stream("a", current_version=1)
    await client.close()
    for call in (store.load("a"), store.append("a", NO_STREAM, [draft(1)])):
        with pytest.raises(StoreFailed, match="'a' is deleted"):
            await call


async def test_a_stream_that_was_cut_off_on_the_server_is_not_read_as_whole(double, store):
    await grow(store, "a", range(4))
    del double.log.streams["a"][:2]
    with pytest.raises(StoreFailed, match="a has lost version 0"):
        await store.load("a")


async def test_more_events_at_once_than_the_server_takes_are_too_large(store):
    with pytest.raises(TooLarge, match="5 events"):
        await store.append("a", NO_STREAM, [draft(n)._replace(data=b'"%s"' % (b"x" * 250_000)) for n in range(5)])
    assert await store.position() == 0


async def test_a_server_that_tells_no_positions_is_too_old(double, store):
    await grow(store, "a", range(1))
    double.tells_positions = False
    with pytest.raises(StoreFailed, match=r"22\.10"):
        await store.load("a")


async def test_all_who_come_first_agree_on_one_id(double, tmp_path):
    stores = await asyncio.gather(*(EventStoreDB.open(double.uri) for _ in range(8)))
    assert len({store.id for store in stores}) == 1
    assert len(double.log.streams["rapport-store"]) == 1
    await asyncio.gather(*(store.close() for store in stores))


def test_the_address_gets_the_time_limits_that_it_does_not_have():
    assert with_defaults("esdb://u:p@a:1,b:2?tls=false&keepaliveinterval=7") == (
        "esdb://u:p@a:1,b:2?tls=false&keepaliveinterval=7&KeepAliveTimeout=2000&DefaultDeadline=5"
    )
    for scheme in ("esdb", "esdb+discover", "kurrentdb", "kurrentdb+discover"):
        assert with_defaults(f"{scheme}://a").startswith(f"{scheme}://a?KeepAliveInterval=2000")


async def test_an_address_that_is_none_is_refused_without_repeating_its_password():
    for address in ("http://u:secret@a", "a:2113", "esdb://u:secret@a?Nonsense=1", "esdb://a", "esdb://?Tls=false"):
        with pytest.raises(StoreFailed, match="the address of the event store") as refused:
            await EventStoreDB.open(address)
        assert "secret" not in str(refused.value)


async def test_a_cluster_is_found_by_gossip(double):
    store = await EventStoreDB.open(double.uri.replace("esdb:", "kurrentdb+discover:"))
    await grow(store, "a", range(2))
    assert len((await store.load("a")).events) == 2
    await store.close()


async def test_a_server_that_stands_still_is_noticed_while_nothing_happens(process):
    async with opened(process.uri) as store, followed(store) as seen:
        head = await grow(store, "a", range(3))
        await until(lambda: len(seen) == 3)
        process.pause()
        async with asyncio.timeout(10):
            await until(lambda: store.failing)
            with pytest.raises(StoreFailed):
                await store.append("a", head, [draft(3)])
        process.resume()
        async with asyncio.timeout(15):
            await until(lambda: not store.failing)
        await grow(store, "a", range(4, 7))
        await sees_all(store, seen)


async def test_what_a_killed_server_acknowledged_is_there_when_it_returns(process):
    acknowledged = []
    numbers = count()

    async def appending(store, stream):
        head = NO_STREAM
        while len(acknowledged) < 400:
            new = draft(next(numbers))
            while True:
                try:
                    (event,) = await store.append(stream, head, [new])
                except StoreFailed:  # nobody knows: the same again
                    continue
                break
            head = Head(event.version, event.hash)
            acknowledged.append(event)

    async with opened(process.uri) as store, followed(store) as seen:
        identity = store.id
        writers = [asyncio.create_task(appending(store, f"s-{uuid4()}")) for _ in range(8)]
        for reached in (100, 200, 300):
            await until(lambda reached=reached: len(acknowledged) >= reached)
            process.kill()
            process.up()
        await asyncio.gather(*writers)
        await sees_all(store, seen)
    async with opened(process.uri) as store:
        assert store.id == identity
    assert sorted(acknowledged) == seen
    assert_chained(seen)
