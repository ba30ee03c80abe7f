"""The embedded installation: all services in one process over one folder, durable and crash-safe."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import partial

from shared.account_tables import opened as opened_accounts
from shared.accounts import Accounts
from shared.codec import Codec
from shared.decider import Log
from shared.events import check_upcasters
from shared.feeding import Feeding
from shared.health import Health, Probe
from shared.keyring import SqliteKeyring
from shared.parked import ALARM, overdue
from shared.projections import ReadModels
from shared.projections.beside import Beside
from shared.projections.catalog import Entry
from shared.projections.follower import Follower
from shared.projections.generation import Generation
from shared.projections.sqlite_home import SqliteHome
from shared.relay import Relay
from shared.service import Platform, Service
from shared.serving import Running, application, background
from shared.settings import Settings
from shared.sqlite_store import SqliteStore
from shared.topic_ends import TopicEnds


@asynccontextmanager
async def opened(services: Sequence[Service], settings: Settings) -> AsyncIterator[Running]:
    """Open the folder, follow the store, relay if there is a broker; everything is closed in turn.

    Raises:
        StoreInUse: another process has the folder.
    """
    check_upcasters()
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with AsyncExitStack() as stack:
        store = SqliteStore(settings.data / "events.db")
        stack.push_async_callback(store.close)
        keyring = stack.enter_context(closing(SqliteKeyring(settings.data / "keyring.db")))
        accounts = stack.enter_context(closing(Accounts(opened_accounts(settings.data / "accounts.db"))))
        log = Log(store, keyring, Codec(keyring), settings.timezone)
        for service in services:
            if service.catch_up is not None:
                await service.catch_up(log)
        families = [family for service in services for family in service.families]
        home = SqliteHome(settings.data / "read")
        beside = Beside()
        models = stack.enter_context(closing(ReadModels(home, families, log.codec, store.id, make=beside.generation)))
        stack.callback(beside.close)
        feeding = Feeding(models, list(models.families), partial(_follower, store, models))
        probes = {family: _probe(feeding, family) for family in models.families}
        probes |= {"event store": store.probe, ALARM: overdue(models, families)}
        work = []
        if settings.kafka is not None:
            ends = TopicEnds(settings.kafka, [service.name for service in services], settings.topic_prefix)
            probes["kafka"] = ends.probe
            work.append(ends.run())
        health = Health(probes)
        relays = _relays(store, services, settings)
        platform = Platform(log, models, settings, accounts, health, feeding, relays)
        work += [health.run(), feeding.run(), *(relay.run() for relay in relays)]
        await stack.enter_async_context(background(work))
        yield Running(platform, application(services, platform), relays, tuple(services))


def _follower(store: SqliteStore, models: ReadModels, generation: Generation, entry: Entry) -> Follower:
    wish = entry.wish
    return Follower(store, generation, models.moved, after=wish.after, until=wish.until, processes=wish.processes)


def _probe(feeding: Feeding, family: str) -> Probe:
    async def probe() -> str | None:
        failing = feeding.failing(family)
        return f"waits: {failing}" if failing else None

    return probe


def _relays(store: SqliteStore, services: Sequence[Service], settings: Settings) -> tuple[Relay, ...]:
    if settings.kafka is None:
        return ()
    return tuple(Relay(store, settings.kafka, service.name, prefix=settings.topic_prefix) for service in services)
