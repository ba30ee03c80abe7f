"""The relay in a process of its own, before an event store server, while what it needs or itself is killed."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

import psycopg
import pytest
import servers
from programs import Program, Start
from topics_kit import SERVICES, assert_topic_is_the_store, growing, until

from shared.checkpoint import last_checkpoint
from shared.errors import StoreFailed
from shared.eventstoredb import EventStoreDB
from shared.topics import checkpoints

pytestmark = pytest.mark.kafka
RECOVERED = 15.0
"""Seconds within which it must be all well again."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[servers.DoubledEventStore]:
    server = servers.DoubledEventStore(tmp_path)
    yield server
    server.kill()


@pytest.fixture
async def store(server: servers.DoubledEventStore) -> AsyncIterator[EventStoreDB]:
    store = await EventStoreDB.open(server.uri)
    yield store
    await store.close()


@pytest.fixture
def relay(start: Start, server: servers.DoubledEventStore, kafka: str, prefix: str) -> Start:
    """Starts a process that relays both services; with a database, when it is its turn."""

    async def relay(*database: str) -> Program:
        services = [word for service in SERVICES for word in ("--service", service)]
        program = "relay_in_turn_process" if database else "relay_process"
        return await start(program, server.uri, kafka, prefix, *database, *services)

    return relay


def relays(program: Program) -> bool:
    """Whether it has begun with both services."""
    return all(f"{service} relaying" in program.said for service in SERVICES)


async def published_up_to(position: int, bootstrap: str, prefix: str) -> None:
    """Wait until the checkpoints of both services have got there."""
    for service in SERVICES:
        while True:
            checkpoint = await last_checkpoint(bootstrap, checkpoints(service, prefix))
            if checkpoint is not None and checkpoint.position >= position:
                break


async def answered(store: EventStoreDB) -> int:
    """The head of a store that has just come back: the client may still know it as away."""
    while True:
        try:
            return await store.position()
        except StoreFailed:
            await asyncio.sleep(0.1)


async def assert_topics_are_the_store(store: EventStoreDB, bootstrap: str, prefix: str) -> None:
    async with asyncio.timeout(60):
        await published_up_to(await store.position(), bootstrap, prefix)
        for service in SERVICES:
            await assert_topic_is_the_store(store, bootstrap, prefix, service)


@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.long)])
async def test_a_relay_killed_at_random_moments_leaves_topics_that_equal_the_store(
    kafka: str, store: EventStoreDB, prefix: str, relay: Start, rng: Random, kills: int
):
    async with growing(store):
        for number in range(kills):
            running = await relay()
            if number % 4:  # else it may be killed before it has begun
                await until(lambda running=running: relays(running))
            await asyncio.sleep(rng.uniform(0, 1))
            assert running.runs
            await running.kill()
        await relay()
    await assert_topics_are_the_store(store, kafka, prefix)


@pytest.mark.parametrize("kills", [1, pytest.param(5, marks=pytest.mark.long)])
async def test_a_store_that_is_killed_is_waited_for(
    kafka: str,
    server: servers.DoubledEventStore,
    store: EventStoreDB,
    prefix: str,
    relay: Start,
    rng: Random,
    kills: int,
):
    running = await relay()
    async with growing(store):
        for _ in range(kills):
            await until(lambda: relays(running))
            await published_up_to(await store.position(), kafka, prefix)
            await asyncio.sleep(rng.uniform(0, 0.3))
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.up)
            returned = time.monotonic()
            async with asyncio.timeout(RECOVERED):
                head = await answered(store)
                await published_up_to(head + 1, kafka, prefix)  # what is appended from now on, too
            print(f"all published again {time.monotonic() - returned:.1f} s after the store's return")
    await assert_topics_are_the_store(store, kafka, prefix)
    assert running.runs


@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.long)])
async def test_of_two_relays_one_has_its_turn_and_the_other_takes_over_when_that_one_is_killed(
    kafka: str, store: EventStoreDB, prefix: str, database: str, relay: Start, rng: Random, kills: int
):
    everyone = [await relay(database)]
    holder = everyone[0]
    async with growing(store):
        await until(lambda: relays(holder))
        for _ in range(kills):
            waiting = await relay(database)
            everyone.append(waiting)
            await until(lambda: contenders(database) == 2 * len(SERVICES))
            await published_up_to(await store.position(), kafka, prefix)
            await asyncio.sleep(rng.uniform(0, 0.5))
            assert set(waiting.said) == {f"{service} starting" for service in SERVICES}
            await holder.kill()
            killed = time.monotonic()
            holder = waiting
            await until(lambda waiting=waiting: relays(waiting), seconds=RECOVERED)
            print(f"taken over within {time.monotonic() - killed:.1f} s")
    await assert_topics_are_the_store(store, kafka, prefix)
    # two at a time would have fenced each other, and said so
    said = {line for program in everyone for line in program.said}
    assert said == {f"{service} {state}" for service in SERVICES for state in ("starting", "relaying")}


def contenders(database: str) -> int:
    """How many connections hold or ask for the lock of a relay."""
    with psycopg.connect(database) as connection:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        row = connection.execute(f"{asked} AND application_name LIKE 'rapport relay %'").fetchone()
    return row[0] if row else 0
