"""One service of a deployment: a process of its own before the servers that all services share.

Events are kept in EventStoreDB, arrive live from Kafka, and become read models in PostgreSQL. Any number of replicas
may run: each takes a share of the partitions, one of them relays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import partial
from typing import Final, Never

import sqlalchemy as sa

from shared import migrations, postgres
from shared.accounts import Accounts
from shared.codec import Codec
from shared.consumer import KafkaFollower
from shared.decider import Log
from shared.errors import RapportError
from shared.events import check_upcasters
from shared.eventstoredb import EventStoreDB
from shared.feeding import Alone, Feeder, Feeding
from shared.handover import build
from shared.health import Health, KeepsUp, Probe
from shared.kafka_feed import KafkaFeed
from shared.parked import ALARM, overdue
from shared.postgres_keyring import PostgresKeyring
from shared.postgres_lock import leadership
from shared.projections import Family, ReadModels
from shared.projections.catalog import Entry
from shared.projections.follower import Follower
from shared.projections.generation import Generation
from shared.projections.postgres_home import PostgresHome
from shared.relay import Relay
from shared.service import Platform, Service
from shared.serving import Running, application, background
from shared.settings import Settings
from shared.store import EventStore
from shared.topic_ends import TopicEnds, topic_ends
from shared.topics import services_of

_CONTEND_AGAIN: Final = 2.0
"""Seconds after which a relay that ended competes for its place again."""
_NEEDED: Final = ("store", "kafka", "database", "keyring")
_log = logging.getLogger(__name__)


class Incomplete(RapportError):
    """A setting is missing that a deployed service cannot do without."""


@asynccontextmanager
async def opened(service: Service, services: Sequence[Service], settings: Settings) -> AsyncIterator[Running]:
    """Connect one of the services, feed its read models, relay its events; everything is closed in turn.

    Raises:
        Incomplete: a setting is missing.
        StoreFailed, Unreachable: a server is away.
    """
    store_uri, kafka, database, keys = _addresses(settings)
    check_upcasters()
    async with AsyncExitStack() as stack:
        engine = postgres.engine(database, application=f"rapport {service.name}")
        stack.callback(engine.dispose)
        keyring_engine = postgres.engine(keys, application=f"rapport {service.name}", pool_size=2, max_overflow=3)
        stack.callback(keyring_engine.dispose)
        with postgres.answering():
            await asyncio.to_thread(_require_tables, engine, keyring_engine)
        store = await EventStoreDB.open(store_uri)
        stack.push_async_callback(store.close)
        keyring = PostgresKeyring(keyring_engine)
        accounts = stack.enter_context(closing(Accounts(engine)))
        log = Log(store, keyring, Codec(keyring), settings.timezone)
        if service.catch_up is not None:
            await service.catch_up(log)
        ends = TopicEnds(kafka, [each.name for each in services], settings.topic_prefix)
        feed = KafkaFeed(ends, settings.topic_prefix)
        families = [family for each in services for family in each.families]
        home = PostgresHome(engine)
        with postgres.answering():
            models = await asyncio.to_thread(ReadModels, home, families, log.codec, store.id, feed)
        stack.callback(models.close)
        feeding = Feeding(models, [each.name for each in service.families], partial(_feeder, models, store, settings))
        probes: dict[str, Probe] = {
            "event store": partial(_answers, store),
            "database": partial(asyncio.to_thread, _select_one, engine),
            "keyring": partial(asyncio.to_thread, _select_one, keyring_engine),
            "kafka": ends.probe,
            ALARM: overdue(models, service.families),
        }
        for family in service.families:
            probes[family.name] = _keeps_up(feeding, models, family)
        relay = Relay(store, kafka, service.name, prefix=settings.topic_prefix)
        platform = Platform(log, models, settings, accounts, Health(probes), feeding, (relay,))
        work = [ends.run(), platform.health.run(), _relay_in_turn(relay, database)]
        await stack.enter_async_context(background([*work, feeding.run()]))
        yield Running(platform, application([service], platform), (relay,), (service,))


def _addresses(settings: Settings) -> tuple[str, str, str, str]:
    given = {name: getattr(settings, name) for name in _NEEDED}
    if missing := [f"RAPPORT_{name.upper()}" for name, value in given.items() if value is None]:
        raise Incomplete(f"a deployed service needs {', '.join(missing)}")
    store, kafka, database, keyring = given.values()
    return store, kafka, database, keyring


def _require_tables(engine: sa.Engine, keyring_engine: sa.Engine) -> None:
    if migrations.pending(engine, "accounts") or migrations.pending(keyring_engine, "keyring"):
        raise Incomplete("the databases are not as this release needs them: run `rapport database upgrade`")


def _feeder(models: ReadModels, store: EventStore, settings: Settings, generation: Generation, entry: Entry) -> Feeder:
    _, kafka, database, _ = _addresses(settings)
    ends = partial(topic_ends, kafka, services_of(generation.family.types), settings.topic_prefix)
    # One replica builds, the others wait for it and then find it built.
    alone = partial(leadership, database, f"build {generation.place.name}")
    if entry.wish.partial:
        follower = Follower(store, generation, models.moved, after=entry.wish.after, until=entry.wish.until)
        return Alone(follower, alone)

    async def prepare() -> None:
        if entry.wish.origin == "store":
            async with alone():
                await build(generation, store, ends)

    return KafkaFollower(
        generation,
        store.id,
        kafka,
        group=f"rapport.{generation.place.name}",
        instance=settings.instance,
        prefix=settings.topic_prefix,
        prepare=prepare,
        moved=models.moved,
    )


async def _relay_in_turn(relay: Relay, database: str) -> Never:
    """Relay while this process holds the lock; of all replicas one does. Kafka's fencing is the net below it."""
    while True:
        async with leadership(database, f"relay {relay.service}") as lost:
            relaying = asyncio.create_task(relay.run())
            losing = asyncio.create_task(lost.wait())
            try:
                await asyncio.wait({relaying, losing}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                losing.cancel()
                relaying.cancel()
                (ended, _) = await asyncio.gather(relaying, losing, return_exceptions=True)
        _log.warning("the relay of %s ended: %r", relay.service, ended)
        await asyncio.sleep(_CONTEND_AGAIN)


def _keeps_up(feeding: Feeding, models: ReadModels, family: Family) -> Probe:
    def place() -> object:
        return sum(mark.next_offset + mark.position for mark in models.active(family).marks().values())

    return KeepsUp(lambda: feeding.failing(family.name), lambda: models.lag(family, 0).events, place)


async def _answers(store: EventStore) -> None:
    await store.position()


def _select_one(engine: sa.Engine) -> None:
    with engine.connect() as db:
        db.execute(sa.text("SELECT 1"))
