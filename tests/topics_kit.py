"""Events to relay, and what a client of the topic sees of them."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any
from uuid import UUID, uuid5

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.record.default_records import DefaultRecord, DefaultRecordBatch

from shared import cloudevents
from shared.clock import stamp, utc_now
from shared.envelope import FIRST_HASH, Draft, Head, Metadata, Recorded, chained, pack
from shared.errors import StoreFailed
from shared.ids import NS
from shared.record_batch import RecordBatch
from shared.relay import Relay
from shared.store import EventStore
from shared.topics import PARTITIONS, partition, topic, type_prefix

OURS = "crm.trials.TrialHeld"
NOTED = "crm.trials.TrialNoted"
THEIRS = "crm.elsewhere.TrialHeld"
SERVICES = ("trials", "elsewhere")
SUBJECTS = 60
_CHUNK = 40
_PACE = 0.05
"""Seconds between two chunks of a load, so that there is time for those who read it."""


def draft(number: int, type_: str = OURS) -> Draft:
    subject = f"customer-{uuid5(NS, str(number % SUBJECTS))}"
    command = uuid5(NS, f"command/{number}")
    metadata = Metadata(
        subject=subject,
        actor="cli:zoë",
        command_id=str(command),
        command_hash=hashlib.sha256(str(number).encode()).hexdigest(),
        occurred_at=stamp(utc_now()),
        recorded_at=stamp(utc_now()),
        correlation_id=str(command) if number % 2 else None,
        causation_id=str(command) if number % 3 else None,
        on_behalf_of="customer-ж" if number % 5 else None,
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" if number % 7 else None,
    )
    return Draft(uuid5(command, "0").bytes, type_, 1, subject, b'{"number":%d}' % number, pack(metadata))


def type_of(number: int) -> str:
    """Every tenth is of another service, every seventh of the rest is read by no family."""
    if number % 10 == 0:
        return THEIRS
    return OURS if number % 7 else NOTED


def mixed(number: int) -> str:
    """Both services, also of one subject: the first has had events of the one before those of the other."""
    return THEIRS if (number + number // SUBJECTS) % 3 == 0 else OURS


async def fill(store: EventStore, numbers: Iterable[int], typed: Callable[[int], str] = type_of) -> None:
    """One event per number, in a stream of its subject."""
    streams: dict[str, list[Draft]] = defaultdict(list)
    for number in numbers:
        new = draft(number, typed(number))
        streams[f"{new.type.split('.')[1]}-{new.subject}"].append(new)
    heads: dict[str, Head] = {stream: (await store.load(stream)).head for stream in streams}
    while streams:  # a few of each in turn, so that subjects are mixed in the log
        for stream in list(streams):
            drafts = streams[stream]
            recorded = await store.append(stream, heads[stream], drafts[:3])
            heads[stream] = Head(recorded[-1].version, recorded[-1].hash)
            streams[stream] = drafts[3:]
            if not streams[stream]:
                del streams[stream]


@asynccontextmanager
async def growing(store: EventStore, first: int = 0) -> AsyncIterator[None]:
    """Append events of both services all the while, also to a store that goes away and comes back."""
    enough = asyncio.Event()

    async def grow() -> None:
        for start in count(first, _CHUNK):
            if enough.is_set():
                return
            await _fill_at_last(store, range(start, start + _CHUNK))
            await asyncio.sleep(_PACE)

    task = asyncio.create_task(grow())
    try:
        yield
    finally:
        enough.set()
        await task


async def _fill_at_last(store: EventStore, numbers: Iterable[int]) -> None:
    missing = list(numbers)
    while missing:
        try:
            await fill(store, missing, mixed)
        except StoreFailed:  # what of it stands nobody knows
            there = await _ids(store)
            missing = [number for number in missing if draft(number).id not in there]
        else:
            return


async def _ids(store: EventStore) -> set[bytes]:
    while True:
        try:
            return {event.id async for page in store.pages(0) for event in page.events}
        except StoreFailed:
            await asyncio.sleep(0.1)


def as_record(event: Recorded, store_id: UUID) -> DefaultRecord:
    """The record of an event as the relay writes it and as the client reads it."""
    batch = RecordBatch(list(cloudevents.records([event], store_id)))
    (record,) = DefaultRecordBatch(bytes(batch._build()))
    return record


async def stored(store: EventStore, service: str) -> list[Recorded]:
    prefix = type_prefix(service)
    return [event async for page in store.pages(0) for event in page.events if event.type.startswith(prefix)]


async def published(bootstrap: str, name: str) -> list[Any]:
    """Every committed record of a topic, by partition and offset."""
    places = [TopicPartition(name, number) for number in range(PARTITIONS)]
    records: list[Any] = []
    # where committed records end is not yet known right after a commit, so the end is that of all records
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as every:
        ends = await every.end_offsets(places)
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed") as consumer:
        consumer.assign(places)
        for place in places:  # not seek_to_beginning: the default reset, under way since assign, may overtake it
            consumer.seek(place, 0)
        for place in places:
            while await consumer.position(place) < ends[place]:
                records += (await consumer.getmany(place, timeout_ms=100)).get(place, [])
    return records


@asynccontextmanager
async def running(runner: Any) -> AsyncIterator[asyncio.Task[None]]:
    """Run a relay or a follower for a while."""
    task = asyncio.create_task(runner.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def relaying(store: EventStore, bootstrap: str, prefix: str, *services: str) -> AsyncIterator[None]:
    """Run the relays of services for a while, until all is published that is in the store at the end."""
    relays = [Relay(store, bootstrap, service, prefix=prefix) for service in services]
    async with AsyncExitStack() as stack:
        for relay in relays:
            await stack.enter_async_context(running(relay))
        yield
        head = await store.position()
        await until(lambda: all(relay.published >= head for relay in relays))


async def relayed(store: EventStore, bootstrap: str, prefix: str, *services: str) -> None:
    """Let relays bring everything to Kafka, and stop them."""
    head = await store.position()
    for service in services:
        relay = Relay(store, bootstrap, service, prefix=prefix)
        async with running(relay) as task:
            await until(lambda relay=relay, task=task: relay.published >= head or task.done())
            if task.done():
                task.result()


async def assert_topic_is_the_store(store: EventStore, bootstrap: str, prefix: str, service: str = "trials") -> None:
    records = await published(bootstrap, topic(service, prefix))
    events = [cloudevents.recorded(record, store.id) for record in records]
    wanted = await stored(store, service)
    assert wanted
    assert by_subject(events) == by_subject(wanted)
    assert_chained(events)
    assert all(record.partition == partition(record.key.decode()) for record in records)


def by_subject(events: Sequence[Recorded]) -> dict[str, list[Recorded]]:
    subjects: dict[str, list[Recorded]] = defaultdict(list)
    for event in events:
        subjects[event.subject].append(event)
    return subjects


def assert_chained(events: Sequence[Recorded]) -> None:
    """The hashes of every stream follow from the events alone."""
    last: dict[str, tuple[int, bytes]] = {}
    for event in sorted(events, key=lambda event: (event.stream, event.version)):
        version, previous = last.get(event.stream, (-1, FIRST_HASH))
        assert event.version == version + 1
        assert event.hash == chained(previous, event.stream, event.version, event)
        last[event.stream] = (event.version, event.hash)


async def until(condition: Any, *, seconds: float = 60.0) -> None:
    """Wait for something that another task does."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110, the condition is another object's, which has no event to wait for
            await asyncio.sleep(0.01)


def step(monkeypatch: Any, method: str, when: str, nth: int, action: Callable[[], None]) -> None:
    """Do something right before or after the nth call of a method of the Kafka producer."""
    original = getattr(AIOKafkaProducer, method)
    calls = 0

    async def stepping(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth and when == "before":
            action()
            await asyncio.sleep(0)
        result = await original(self, *args, **kwargs)
        if calls == nth and when == "after":
            action()
            await asyncio.sleep(0)
        return result

    monkeypatch.setattr(AIOKafkaProducer, method, stepping)


STEPS = [
    ("start", "after", 1),
    ("begin_transaction", "after", 1),
    ("send_batch", "before", 5),
    ("send_batch", "after", 12),
    ("send", "before", 1),
    ("send", "after", 1),
    ("commit_transaction", "before", 1),
    ("commit_transaction", "after", 1),
    ("begin_transaction", "before", 2),
    ("commit_transaction", "after", 2),
]
