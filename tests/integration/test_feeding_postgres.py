"""A generation in PostgreSQL that Kafka feeds, when an event cannot be applied or a server is away."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from uuid import UUID

import pytest
import trials
from postgres_server import LocalPostgres
from topics_kit import OURS, SERVICES, SUBJECTS, draft, fill, growing, mixed, relayed, relaying, running, stored, until

from shared.codec import Codec
from shared.consumer import KafkaFollower
from shared.envelope import Recorded
from shared.errors import Unreachable
from shared.events import Event, Personal
from shared.keyring import SqliteKeyring
from shared.postgres import engine
from shared.projections import Document, Family, Subject
from shared.projections.generation import Generation
from shared.projections.postgres_home import PostgresHome
from shared.sqlite_store import SqliteStore
from shared.topics import topic

pytestmark = pytest.mark.kafka
POISON = 1_000 * SUBJECTS + 7
NOTICED = 10.0
RECOVERED = 15.0


def follower(generation: Generation, store: SqliteStore, bootstrap: str, prefix: str) -> KafkaFollower:
    return KafkaFollower(generation, store.id, bootstrap, group=f"{prefix}trials", instance="one", prefix=prefix)


poisons = {POISON}
picky = Document("picky_trials", trials.LastTrial, key=Subject("customer"))


@picky.on(trials.TrialHeld)
def _(row: trials.LastTrial, event: trials.TrialHeld, at: Recorded) -> trials.LastTrial:
    if event.number in poisons:
        raise ValueError("this number is poison")
    return trials.LastTrial((*row.numbers, event.number))


picky_family = Family("picky_trials", version=1, tables=(trials.totals, picky, trials.counts))


async def test_a_poison_event_parks_its_customer_and_nobody_else_until_it_is_retried_also_after_a_restart(
    kafka: str, store: SqliteStore, prefix: str, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    victim = draft(POISON).subject

    def opened() -> Generation:
        return trials.in_database(tmp_path / "test", database, picky_family)

    async def parks_what_came_since(generation: Generation) -> None:
        events = [event for service in SERVICES for event in await stored(store, service)]
        (poison,) = (event for event in events if event.id == draft(POISON).id)
        held = {event.id for event in events if event.subject == victim and event.position >= poison.position}
        expected = await trials.fed_from(store, tmp_path, picky_family, without=held)
        await trials.equal(generation, expected, parked=len(held))
        parked = generation.parked()
        assert {row.event_id for row in parked} == held
        assert {row.topic for row in parked} == {topic(service, prefix) for service in SERVICES}
        assert {row.category for row in parked if row.event_id != poison.id} == {"held"}
        assert [row.reason for row in parked if row.event_id == poison.id] == ["ValueError: this number is poison"]

    async with relaying(store, kafka, prefix, *SERVICES):
        generation = opened()
        async with running(follower(generation, store, kafka, prefix)):
            await fill(store, range(600), mixed)
            await trials.equal(generation, await trials.fed_from(store, tmp_path, picky_family))
            await fill(store, [POISON], lambda _: OURS)
            await until(lambda: generation.parked_count() == 1)
            await fill(store, range(600, 900), mixed)
            await parks_what_came_since(generation)
        await fill(store, range(900, 1200), mixed)
        generation = opened()
        async with running(follower(generation, store, kafka, prefix)):
            await parks_what_came_since(generation)
            await fill(store, range(1200, 1500), mixed)
            await parks_what_came_since(generation)
            monkeypatch.setattr("test_feeding_postgres.poisons", set())
            unparking = opened().unparking  # another process, while this one goes on
            filling = asyncio.create_task(fill(store, range(1500, 1800), mixed))
            while not filling.done():
                await asyncio.to_thread(unparking.retry, victim)
            await filling
            await trials.equal(generation, await trials.fed_from(store, tmp_path, picky_family))


@pytest.mark.parametrize("kills", [1, pytest.param(5, marks=pytest.mark.long)])
async def test_a_database_that_is_killed_is_waited_for(
    kafka: str, own_postgres: LocalPostgres, store: SqliteStore, prefix: str, rng: Random, tmp_path: Path, kills: int
):
    generation = trials.in_database(tmp_path / "test", own_postgres.url)
    member = follower(generation, store, kafka, prefix)
    async with relaying(store, kafka, prefix, *SERVICES), running(member) as task:
        for number in range(kills):
            async with growing(store, number * 1_000_000):
                await until(lambda: not member.failing)
                await asyncio.sleep(rng.uniform(0.5, 1.5))
                await asyncio.to_thread(own_postgres.kill)
                await until(lambda: "OperationalError" in (member.failing or ""), seconds=NOTICED)
                await asyncio.to_thread(own_postgres.up)
                returned = time.monotonic()
            expected = await trials.fed_from(store, tmp_path)
            async with asyncio.timeout(returned + RECOVERED - time.monotonic()):
                await trials.equal(generation, expected)
                await until(lambda: not member.failing)
            print(f"all there again {time.monotonic() - returned:.1f} s after the database's return")
        assert not task.done()


class TrialWitnessed(Event, type="crm.trials.TrialWitnessed"):
    number: int
    witness: Personal


@dataclass(frozen=True)
class Witnesses:
    names: tuple[str, ...] = ()


witnessed = Document("trial_witnesses", Witnesses, key=Subject("customer"))


@witnessed.on(TrialWitnessed)
def _(row: Witnesses, event: TrialWitnessed, at: Recorded) -> Witnesses:
    return Witnesses((*row.names, event.witness))


witnesses_family = Family("trial_witnesses", version=1, tables=(witnessed,))


class KeyringAway(SqliteKeyring):
    """One that cannot be reached until it is."""

    asked = 0
    away = True

    def find(self, subject: str) -> bytes | None:
        if self.away:
            self.asked += 1
            raise Unreachable("PostgreSQL does not answer: connection refused")
        return super().find(subject)


async def witness(store: SqliteStore, codec: Codec, number: int) -> None:
    base = draft(number, TrialWitnessed.type)
    data = codec.encode(TrialWitnessed(number=number, witness=f"Zoë {number}"), UUID(bytes=base.id), base.subject)
    stream = f"trials-{base.subject}"
    await store.append(stream, (await store.load(stream)).head, [base._replace(data=data)])


async def test_a_keyring_that_is_away_is_waited_for_and_parks_nothing(
    kafka: str, store: SqliteStore, prefix: str, database: str, tmp_path: Path
):
    for number in range(200):
        await witness(store, Codec(SqliteKeyring(tmp_path / "keyring.db")), number)
    await relayed(store, kafka, prefix, "trials")
    keyring = KeyringAway(tmp_path / "keyring.db")
    place = PostgresHome(engine(database)).place("witnesses")
    generation = Generation(witnesses_family, 1, place, Codec(keyring))
    member = follower(generation, store, kafka, prefix)
    async with running(member):
        await until(lambda: keyring.asked >= 3 and "Unreachable" in (member.failing or ""))
        assert generation.parked_count() == 0
        assert not any(mark.applied for mark in generation.marks().values())
        keyring.away = False
        await trials.equal(generation, await trials.fed_from(store, tmp_path, witnesses_family))
        assert member.failing is None
