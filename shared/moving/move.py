"""Moving a folder: everything is looked at before anything is written, and every step may be done again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, closing
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from shared import migrations, postgres
from shared.account_tables import opened as opened_accounts
from shared.codec import Codec
from shared.crashpoints import crashpoint
from shared.errors import CannotMove
from shared.events import check_upcasters
from shared.eventstoredb import EventStoreDB
from shared.handover import build
from shared.keyring import SqliteKeyring
from shared.moving import accounts, keys
from shared.moving.log import Pair, Proof, Steps, Survey, copy, prove, survey
from shared.moving.relays import Topics
from shared.postgres_keyring import PostgresKeyring
from shared.postgres_lock import leadership
from shared.projections import ReadModels
from shared.projections.postgres_home import PostgresHome
from shared.service import Service
from shared.settings import Settings
from shared.sqlite_store import SqliteStore

Report = dict[str, Any]

_LEFT: Final = {
    "keyring": "the keys: without them no personal field can be read",
    "database": "staff, tokens and notes",
    "kafka": "where the relays go on, if the folder was relayed",
}
"""What a run does not do without a setting, and another must before a service starts on the target."""


@dataclass(frozen=True, slots=True)
class _Servers:
    """What of a deployment was named besides its event store."""

    topics: Topics | None
    database: sa.Engine | None
    keyring: sa.Engine | None


async def move(services: Sequence[Service], settings: Settings) -> AsyncGenerator[Report, None]:
    """Move the folder of the settings to their servers; yields progress, then one `result`.

    Keys, accounts, checkpoints and read models are moved as far as the servers for them are named. Whoever stops it
    may start it again: what is there already is compared and left.

    Raises:
        CannotMove: the servers hold something else, or are not prepared; nothing was written.
        StoreInUse: the folder is being served.
        StoreFailed, Unreachable: a server does not answer.
    """
    check_upcasters()
    if not (settings.data / "events.db").is_file():
        raise CannotMove(f"there is no event store in {settings.data}")
    async with AsyncExitStack() as stack:
        logs, servers = await _opened(services, settings, stack)
        found = Survey()
        async for report in _told("checking", survey(logs, found), await logs.source.position()):
            yield report
        published = await servers.topics.reached(logs) if servers.topics else {}
        done = await asyncio.to_thread(_move_people, settings, servers)
        crashpoint("moving.people")
        async for report in _told("copying", copy(logs, found), found.missing):
            yield report
        proof = Proof(published.values())
        async for report in _told("comparing", prove(logs, proof), found.events):
            yield report
        done |= {"copied": found.missing, "relays": {}, "read_models": []}
        if proof.ok and servers.topics:
            done["relays"] = {service: proof.mapped[position] for service, position in published.items()}
            await servers.topics.hand_over(logs, done["relays"])
            crashpoint("moving.relays")
            async for report in _build(services, settings, servers, logs, done["read_models"]):
                yield report
        yield {"result": _outcome(proof) | done | {"left": _left(settings)}}


async def _opened(services: Sequence[Service], settings: Settings, stack: AsyncExitStack) -> tuple[Pair, _Servers]:
    source = SqliteStore(settings.data / "events.db")
    stack.push_async_callback(source.close)
    database = await _database(settings.database, "accounts", stack)
    keyring = await _database(settings.keyring, "keyring", stack)
    target = await EventStoreDB.open(settings.store or "")
    stack.push_async_callback(target.close)
    topics = Topics(settings.kafka, [each.name for each in services], settings.topic_prefix) if settings.kafka else None
    return Pair(source, target), _Servers(topics, database, keyring)


async def _database(url: str | None, history: migrations.Name, stack: AsyncExitStack) -> sa.Engine | None:
    if url is None:
        return None
    engine = postgres.engine(url, application="rapport migrate")
    stack.callback(engine.dispose)
    with postgres.answering():
        if await asyncio.to_thread(migrations.pending, engine, history):
            raise CannotMove(f"the database of the {history} lacks tables: run `rapport database upgrade` first")
    return engine


def _move_people(settings: Settings, servers: _Servers) -> Report:
    """Keys first looked at, then keys and accounts written."""
    done: Report = {"keys": None, "accounts": None, "kept": []}
    if servers.keyring is not None:
        with closing(SqliteKeyring(settings.data / "keyring.db")) as keyring:
            ours = keyring.entries()
        keys.copy(keys.missing(ours, servers.keyring), servers.keyring)
        done["keys"] = len(ours)
    if servers.database is not None:
        source = opened_accounts(settings.data / "accounts.db")
        try:
            copied = accounts.copy(source, servers.database)
        finally:
            source.dispose()
        done |= {"accounts": copied.rows, "kept": list(copied.kept)}
    return done


async def _build(
    services: Sequence[Service], settings: Settings, servers: _Servers, logs: Pair, built: list[str]
) -> AsyncIterator[Report]:
    """Build every family's generation for the target, ready to be fed by Kafka."""
    if servers.topics is None or servers.database is None or servers.keyring is None or settings.database is None:
        return
    families = [family for service in services for family in service.families]
    codec = Codec(PostgresKeyring(servers.keyring))
    with postgres.answering():
        home = PostgresHome(servers.database)
        models = await asyncio.to_thread(ReadModels, home, families, codec, logs.target.id)
        for number, generation in enumerate(models.generations):
            yield _progress("read models", number, len(families))
            # a service that runs already builds under the same lock
            async with leadership(settings.database, f"build {generation.place.name}"):
                await build(generation, logs.target, partial(servers.topics.ends, generation.family.types))
            crashpoint("moving.built")
            built.append(generation.family.name)
        yield _progress("read models", len(families), len(families))


def _outcome(proof: Proof) -> Report:
    return {
        "events": proof.events,
        "streams": proof.streams,
        "head": proof.head,
        "checksum": proof.checksum,
        "ok": proof.ok,
        "difference": proof.difference,
    }


def _left(settings: Settings) -> list[str]:
    return [what for setting, what in _LEFT.items() if getattr(settings, setting) is None]


async def _told(what: str, steps: Steps, total: int) -> AsyncIterator[Report]:
    yield _progress(what, 0, total)
    async with aclosing(steps):
        async for done in steps:
            yield _progress(what, done, total)
    yield _progress(what, total, total)


def _progress(what: str, done: int, total: int) -> Report:
    return {"progress": {"what": what, "done": done, "total": total}}
