"""A folder moved to the servers of a deployment: everything is there, once, and nothing else."""

import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import moving_kit
import pytest
import servers
import sqlalchemy as sa
from argon2 import PasswordHasher
from esdb_double import Double
from moving_kit import EVENTS_EACH, FAMILIES, customer_id, migrate, moved, trade
from topics_kit import published, relayed, running, until

from shared import crashpoints, migrations, postgres
from shared.account_tables import opened as opened_accounts
from shared.accounts import Accounts
from shared.checkpoint import last_checkpoint
from shared.cloudevents import recorded
from shared.codec import Codec
from shared.consumer import KafkaFollower
from shared.decider import Context, Log, handle
from shared.errors import CannotMove, StoreInUse, Unreachable
from shared.eventstoredb import EventStoreDB
from shared.keyring import SqliteKeyring
from shared.postgres_keyring import PostgresKeyring
from shared.projections import ReadModels
from shared.projections.follower import Follower
from shared.projections.postgres_home import PostgresHome
from shared.projections.sqlite_home import SqliteHome
from shared.relay import Relay
from shared.sqlite_store import SqliteStore
from shared.topics import checkpoints, topic
from shared.verify import content

CUSTOMERS = 20
EVENTS = CUSTOMERS * EVENTS_EACH
SERVICES = ("contacts", "interactions", "portal", "analytics")
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    await trade(tmp_path / "data", range(CUSTOMERS))
    return tmp_path / "data"


@pytest.fixture
async def double() -> AsyncIterator[Double]:
    double = Double()
    await double.start()
    yield double
    await double.stop()


@pytest.fixture
def prefix() -> str:
    return f"test-{uuid4().hex[:12]}."


@pytest.fixture
def upgraded(database: str) -> str:
    migrations.upgrade(database, database)
    return database


@pytest.fixture
def engine(upgraded: str) -> Iterator[sa.Engine]:
    engine = postgres.engine(upgraded)
    yield engine
    engine.dispose()


async def logs(folder: Path, uri: str) -> tuple[list, list]:
    """Everything in the folder's store and in the target."""
    async with moving_kit.opened(folder) as log:
        source = await moving_kit.content(log.store)
    store = await EventStoreDB.open(uri)
    target = await moving_kit.content(store)
    await store.close()
    return source, target


async def assert_equal(folder: Path, uri: str) -> None:
    source, target = await logs(folder, uri)
    assert len(source) == EVENTS
    assert moving_kit.without_positions(target) == moving_kit.without_positions(source)


async def test_every_event_is_moved_byte_for_byte_and_a_second_run_finds_it_there(tmp_path: Path, folder: Path):
    server = servers.DoubledEventStore(tmp_path)
    code, result, err = await migrate(folder, "--to", server.uri)
    assert (code, err) == (0, "")
    assert (result["events"], result["streams"], result["copied"]) == (EVENTS, 3 * CUSTOMERS, EVENTS)
    source, target = await logs(folder, server.uri)
    assert moving_kit.without_positions(target) == moving_kit.without_positions(source)
    assert (result["ok"], result["checksum"]) == (True, moving_kit.checksum(source))
    assert result["head"] == target[-1].position
    assert len(result["left"]) == 3
    code, again, _ = await migrate(folder, "--to", server.uri)
    assert (code, again) == (0, result | {"copied": 0})
    server.kill()


@pytest.mark.parametrize("passage", [1, 2, 57, EVENTS - CUSTOMERS])
async def test_a_move_that_was_killed_goes_on_where_it_was(tmp_path: Path, folder: Path, passage: int):
    server = servers.DoubledEventStore(tmp_path)
    code, _, _ = await migrate(folder, "--to", server.uri, RAPPORT_CRASH=f"moving.appended:{passage}")
    assert code == -signal.SIGKILL
    _, partly = await logs(folder, server.uri)
    assert 0 < len(partly) < EVENTS
    code, result, _ = await migrate(folder, "--to", server.uri)
    assert (code, result["copied"]) == (0, EVENTS - len(partly))
    await assert_equal(folder, server.uri)
    server.kill()


async def test_a_server_that_loses_answers_gets_every_event_once(folder: Path, double: Double):
    double.lost_replies = 3
    assert (await moved(folder, double.uri))["ok"]
    await assert_equal(folder, double.uri)


async def test_many_events_of_one_stream_share_an_append(tmp_path: Path, double: Double):
    await trade(tmp_path / "data", [1])
    appends: list[str] = []
    async with moving_kit.opened(tmp_path / "data") as log:
        for number in range(450):
            command = moving_kit.RenameCustomer(name=f"Ana {number} " + "a" * 150)
            await handle(log, moving_kit.customer, customer_id(1), command, context=Context("cli:test", uuid4()))
    crashpoints.arm(appends.append)
    try:
        assert (await moved(tmp_path / "data", double.uri))["events"] == 450 + EVENTS_EACH
    finally:
        crashpoints.arm(None)
    assert EVENTS_EACH < appends.count("moving.appended") < EVENTS_EACH + 4


async def test_a_target_with_other_events_is_refused_and_stays_as_it_is(tmp_path: Path, folder: Path, double: Double):
    await trade(tmp_path / "other", [1])
    await moved(tmp_path / "other", double.uri)
    before = len(double.log.events)
    code, result, err = await migrate(folder, "--to", double.uri)
    assert (code, result) == (2, None)
    assert "the target holds other events than the folder" in err
    assert len(double.log.events) == before


async def test_a_target_that_went_on_by_itself_is_refused(tmp_path: Path, folder: Path, double: Double):
    shutil.copytree(folder, tmp_path / "later")
    await trade(tmp_path / "later", [CUSTOMERS])
    await moved(tmp_path / "later", double.uri)
    with pytest.raises(CannotMove, match="the target goes on behind the folder's end"):
        await moved(folder, double.uri)


async def test_a_folder_that_went_on_is_moved_after(folder: Path, double: Double):
    await moved(folder, double.uri)
    await trade(folder, [CUSTOMERS])
    result = await moved(folder, double.uri)
    assert (result["ok"], result["events"], result["copied"]) == (True, EVENTS + EVENTS_EACH, EVENTS_EACH)


async def test_somebody_who_writes_to_the_target_meanwhile_is_noticed(folder: Path, double: Double):
    store = await EventStoreDB.open(double.uri)
    source, _ = await logs(folder, double.uri)

    def take(place: str) -> None:
        if place == "moving.appended" and not taken:
            taken.append(place)
            double.log.append(
                double.log.streams and _request(source[-1].stream)  # the stream that the last event belongs to
            )

    taken: list[str] = []
    crashpoints.arm(take)
    try:
        with pytest.raises(CannotMove, match="somebody else writes to the target"):
            await moved(folder, double.uri)
    finally:
        crashpoints.arm(None)
        await store.close()


@pytest.mark.parametrize("field", ["data", "custom_metadata"])
async def test_one_byte_that_differs_is_found_and_named(folder: Path, double: Double, field: str):
    first = await moved(folder, double.uri)
    event = next(event for event in double.log.events if b"changed her mind" in event.data)
    content_ = getattr(event, field)
    setattr(event, field, content_.replace(b'"', b" ", 1) if field == "data" else content_.replace(b"cli:", b"cly:"))
    code, result, err = await migrate(folder, "--to", double.uri)
    assert (code, result["ok"], result["events"], result["copied"]) == (1, False, EVENTS, 0)
    named = "data" if field == "data" else "metadata"
    assert result["difference"].startswith(f"{named} differ: crm.portal.OrderCancelled")
    assert result["difference"] in err
    assert result["checksum"] == first["checksum"]  # the hash stands beside the bytes


async def test_metadata_that_cannot_be_read_back_fails_the_proof(folder: Path, double: Double):
    def tear(place: str) -> None:
        if place == "moving.appended":
            double.log.events[-1].custom_metadata = b"{}"

    crashpoints.arm(tear)
    try:
        with pytest.raises(CannotMove, match="was not written by Rapport"):
            await moved(folder, double.uri)
            await moved(folder, double.uri)
    finally:
        crashpoints.arm(None)


async def test_a_folder_that_is_served_is_refused(folder: Path, double: Double):
    serving = SqliteStore(folder / "events.db")
    with pytest.raises(StoreInUse):
        await moved(folder, double.uri)
    await serving.close()


async def test_a_damaged_folder_is_refused_before_anything_is_written(folder: Path, double: Double):
    store = SqliteStore(folder / "events.db")
    store._db.execute("UPDATE events SET data = replace(data, 'Zo', 'Xo') WHERE position = 40")
    store._db.execute("UPDATE events SET data = data || ' ' WHERE position = 41")
    await store.close()
    before = len(double.log.events)
    with pytest.raises(CannotMove, match="damaged at position 4[01]"):
        await moved(folder, double.uri)
    assert all(event.metadata["type"] == "rapport.StoreNamed" for event in double.log.events[before:])


async def test_no_folder_and_no_address_are_bad_input(tmp_path: Path):
    code, _, err = await migrate(tmp_path / "nowhere", "--to", "esdb://127.0.0.1:1?Tls=false")
    assert (code, "there is no folder" in err) == (2, True)
    code, _, err = await migrate(tmp_path, "--to", "esdb://127.0.0.1:1?Tls=false")
    assert (code, "there is no event store in" in err) == (2, True)
    code, _, err = await migrate(tmp_path, "--to", "http://user:secret@127.0.0.1")
    assert (code, "esdb://HOST:PORT" in err, "secret" in err) == (2, True, False)


async def test_keys_come_along_with_the_markers_of_destroyed_ones(
    folder: Path, double: Double, upgraded: str, engine: sa.Engine
):
    for _ in range(2):
        assert (await moved(folder, double.uri, keyring=upgraded))["keys"] == CUSTOMERS
    ours, theirs = SqliteKeyring(folder / "keyring.db"), PostgresKeyring(engine)
    found = ours.entries()
    assert sum(key is None for key in found.values()) == CUSTOMERS // 10
    assert {subject: theirs.find(subject) for subject in found} == found
    ours.destroy(f"customer-{customer_id(0)}")
    await moved(folder, double.uri, keyring=upgraded)
    assert PostgresKeyring(engine).find(f"customer-{customer_id(0)}") is None
    ours.close()


@pytest.mark.parametrize("there", [b"another" * 4, None])
async def test_another_key_there_is_refused_before_an_event_is_copied(
    folder: Path, double: Double, upgraded: str, engine: sa.Engine, there: bytes | None
):
    with engine.begin() as connection:
        row = {"subject": f"customer-{customer_id(3)}", "key": there}
        connection.execute(sa.text("INSERT INTO keyring.keys VALUES (:subject, :key)"), row)
    with pytest.raises(CannotMove, match=f"for customer-{customer_id(3)}"):
        await moved(folder, double.uri, keyring=upgraded)
    _, target = await logs(folder, double.uri)
    assert not target


async def test_accounts_come_along_and_those_there_stay(folder: Path, double: Double, upgraded: str, engine: sa.Engine):
    here = Accounts(opened_accounts(folder / "accounts.db"), hasher=CHEAP)
    here.first_run()
    password = here.add_staff("jdewit", "analyst")
    secret = here.add_token("nightly", "operator")
    for detail in ("customer-1", "customer-1", "customer-2"):
        here.note("staff:jdewit", "revealed", detail)
    there = Accounts(engine, hasher=CHEAP)
    _, first_password = there.first_run()
    result = await moved(folder, double.uri, database=upgraded)
    assert (result["accounts"], result["kept"]) == (2 + 3, ["admin"])
    assert (await moved(folder, double.uri, database=upgraded))["accounts"] == 0
    assert there.notes() == here.notes()
    assert there.token(secret) == here.token(secret)
    assert there.session(await there.sign_in("jdewit", password)).role == "analyst"
    assert there.session(await there.sign_in("admin", first_password)).role == "admin"
    here.close()


async def test_databases_that_are_not_prepared_are_refused(folder: Path, double: Double, database: str):
    for setting in ("database", "keyring"):
        code, _, err = await migrate(folder, "--to", double.uri, f"--{setting}", database)
        assert (code, "run `rapport database upgrade` first" in err) == (2, True)


async def test_servers_that_are_away_are_named(folder: Path, double: Double):
    with pytest.raises(Unreachable, match="Kafka at 127.0.0.1:1"):
        await moved(folder, double.uri, kafka="127.0.0.1:1")
    with pytest.raises(Unreachable, match="PostgreSQL"):
        await moved(folder, double.uri, database="postgresql://postgres@127.0.0.1:1/postgres")


def _request(stream: str):
    from esdb_log import request

    return request(stream, "any", [("crm.test.Placed", b"{}", b"{}")])
