"""Many members, each a process or a thread, that feed one generation in PostgreSQL."""

import asyncio
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from threading import Barrier

import pytest
import trials
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from programs import Program, Start
from topics_kit import SERVICES, draft, fill, growing, mixed, relayed, relaying, running, stored, until

from shared.consumer import KafkaFollower
from shared.projections.generation import Generation
from shared.projections.progress import Batch
from shared.sqlite_store import SqliteStore
from shared.topics import PARTITIONS, create_topics, partition, topic

MEMBERS = ("one", "two", "three")
CLEAN_STOP = 10.0
BEFORE_ANY_SESSION_ENDS = 9.0


@pytest.fixture
def generation(tmp_path: Path, database: str) -> Generation:
    return trials.in_database(tmp_path / "test", database)


@pytest.fixture
def member(start: Start, kafka: str, store: SqliteStore, prefix: str, database: str, tmp_path: Path) -> Start:
    """Starts a member of this name."""

    async def member(name: str, **environment: str) -> Program:
        arguments = (tmp_path / name, store.id, kafka, prefix, f"{prefix}trials")
        options = ("--instance", name, "--database", database)
        return await start("consumer_process", *arguments, *options, **environment)

    return member


Stands = Callable[[int], Awaitable[None]]


@pytest.fixture
async def stands(kafka: str, prefix: str) -> AsyncIterator[Stands]:
    """Waits until the group is settled with so many members."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()

    async def stands(count: int) -> None:
        async with asyncio.timeout(60):
            while await _group(admin, f"{prefix}trials") != ("Stable", count):  # noqa: ASYNC110, the broker knows
                await asyncio.sleep(0.05)

    yield stands
    await admin.close()


async def _group(admin: AIOKafkaAdminClient, name: str) -> tuple[str, int]:
    try:
        (answer,) = await admin.describe_consumer_groups([name])
    except GroupCoordinatorNotAvailableError:  # the first group of a broker has to wait for its topic
        return "Unknown", 0
    _, _, state, _, _, members, *_ = answer.groups[0]
    return state, len(members)


async def stop(member: Program) -> None:
    """Stop a member cleanly."""
    async with asyncio.timeout(CLEAN_STOP):
        assert await member.stop() == 0


@pytest.mark.kafka
@pytest.mark.parametrize("rounds", [1, pytest.param(4, marks=pytest.mark.long)])
async def test_members_that_are_killed_stopped_paused_and_scaled_lose_nothing_and_repeat_nothing(
    kafka: str,
    store: SqliteStore,
    generation: Generation,
    prefix: str,
    member: Start,
    stands: Stands,
    rng: Random,
    tmp_path: Path,
    rounds: int,
):
    """In each round one is paused past its session, one stopped for good, and one killed, which then has all."""
    members: dict[str, Program] = {}

    async def begin(name: str) -> None:
        members[name] = await member(name)
        await until(lambda: "follows" in members[name].said)

    async with relaying(store, kafka, prefix, *SERVICES), growing(store):
        await begin("one")
        await stands(1)
        for _ in range(rounds):
            await asyncio.gather(*(begin(name) for name in MEMBERS if name not in members))
            await stands(3)
            paused, stopped = rng.sample(MEMBERS, 2)
            for name in rng.sample(MEMBERS, 3):
                await asyncio.sleep(rng.uniform(0, 0.5))
                if name == paused:
                    members[name].pause()
                elif name == stopped:
                    await stop(members.pop(name))
                else:
                    await members[name].kill()
                    await begin(name)
            await stands(1)  # the sessions of the other two are over: the one that is left takes their partitions
            members[paused].resume()  # and goes on with what it was doing, as if it still had them
            await stands(2)
    await trials.equal(generation, await trials.fed_from(store, tmp_path))


@pytest.mark.kafka
async def test_derived_tables_settle_although_a_member_died_between_a_page_and_its_refresh(
    kafka: str, store: SqliteStore, generation: Generation, prefix: str, member: Start, stands: Stands, tmp_path: Path
):
    await create_topics(kafka, SERVICES, prefix=prefix)
    left = KafkaFollower(generation, store.id, kafka, group=f"{prefix}trials", instance="left", prefix=prefix)
    async with running(left):
        dies = await member("dies", RAPPORT_CRASH="page.committed:1")
        await stands(2)
        await until(lambda: len(left._placed) == PARTITIONS)  # half of two topics
        mine = {place.partition for place in left._placed}
        await fill(store, [number for number in range(300) if partition(draft(number).subject) not in mine], mixed)
        await relayed(store, kafka, prefix, *SERVICES)
        assert await asyncio.wait_for(dies.ended(), BEFORE_ANY_SESSION_ENDS) == -signal.SIGKILL
        applied = sum(mark.applied for mark in generation.marks().values())
        assert applied
        await until(lambda: trials.state(generation) is not None, seconds=BEFORE_ANY_SESSION_ENDS)
        assert sum(mark.applied for mark in generation.marks().values()) == applied  # no partition has moved yet
        await trials.equal(generation, await trials.fed_from(store, tmp_path))


async def history(store: SqliteStore, count: int) -> dict[int, list[Batch]]:
    """Pages of some hundred events by partition, those of both topics in turn; those of a topic in order."""
    await fill(store, range(count), mixed)
    pages: dict[int, list[Batch]] = defaultdict(list)
    for service in SERVICES:
        events = defaultdict(list)
        for event in await stored(store, service):
            events[partition(event.subject)].append(event)
        for number, some in events.items():
            for start in range(0, len(some), 50):
                page = some[start : start + 50]
                pages[number].append(Batch(topic(service), number, page, page[-1].position, start + len(page)))
    return pages


def in_chance_order(pages: Sequence[Batch], rng: Random) -> list[Batch]:
    """The pages of some sources mixed, each source's own in order."""
    sources = defaultdict(list)
    for page in reversed(pages):
        sources[page.topic, page.partition].append(page)
    turns = [source for source, some in sources.items() for _ in some]
    rng.shuffle(turns)
    return [sources[source].pop() for source in turns]


def take_part(generation: Generation, pages: Sequence[Batch], rng: Random, met: Callable[[], object]) -> None:
    """What a member does: apply pages, some of them together, and refresh now and then."""
    left = list(pages)
    while left:
        taken: dict[tuple[str, int], Batch] = {}
        for page in left[: rng.randint(1, 3)]:
            taken.setdefault((page.topic, page.partition), page)
        left = [page for page in left if page not in taken.values()]
        met()
        generation.apply(list(taken.values()))
        if rng.random() < 0.4:
            generation.refresh()


@pytest.mark.parametrize("events", [3_000, pytest.param(50_000, marks=pytest.mark.long)])
async def test_three_members_that_write_at_the_same_time_give_what_one_gives(
    store: SqliteStore, database: str, rng: Random, tmp_path: Path, events: int
):
    pages = await history(store, events)
    members = [trials.in_database(tmp_path / name, database) for name in MEMBERS]
    shares = [[page for number in range(share, PARTITIONS, 3) for page in pages[number]] for share in range(3)]
    chances = [Random(rng.random()) for _ in members]
    with ThreadPoolExecutor(len(members)) as threads:
        tasks = [
            threads.submit(take_part, generation, in_chance_order(share, chance), chance, lambda: None)
            for generation, share, chance in zip(members, shares, chances, strict=True)
        ]
        for task in tasks:
            await asyncio.wrap_future(task)
    assert members[0].refresh()
    await trials.equal(members[0], await trials.fed_from(store, tmp_path))


@pytest.mark.parametrize("events", [1_000, pytest.param(20_000, marks=pytest.mark.long)])
async def test_of_two_members_that_apply_the_same_page_at_the_same_time_one_counts(
    store: SqliteStore, database: str, rng: Random, tmp_path: Path, events: int
):
    pages = in_chance_order([page for some in (await history(store, events)).values() for page in some], rng)
    members = [trials.in_database(tmp_path / name, database) for name in MEMBERS[:2]]
    together = Barrier(len(members))
    seed = rng.random()
    with ThreadPoolExecutor(len(members)) as threads:
        tasks = [threads.submit(take_part, each, pages, Random(seed), together.wait) for each in members]
        for task in tasks:
            await asyncio.wrap_future(task)
    assert members[1].refresh()
    await trials.equal(members[1], await trials.fed_from(store, tmp_path))
