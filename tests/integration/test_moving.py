"""A folder moved to the servers of a deployment: everything is there, once, and nothing else."""

import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import moving_kit
import pytest
import servers
import sqlalchemy as sa
from argon2 import PasswordHasher
from esdb_double import Double
from esdb_log import request
from moving_kit import EVENTS_EACH, FAMILIES, customer_id, held, migrate, moved, trade
from topics_kit import published, relayed, running, until

from services.contacts.customer import RenameCustomer, customer
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
from shared.projections.postgres_home import PostgresHome
from shared.sqlite_store import SqliteStore
from shared.topics import checkpoints, topic
from shared.verify import content

CUSTOMERS = 20
EVENTS = CUSTOMERS * EVENTS_EACH
TRADING = ("contacts", "interactions", "portal")
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
def server(tmp_path: Path) -> Iterator[servers.DoubledEventStore]:
    """The double in a process of its own."""
    server = servers.DoubledEventStore(tmp_path)
    yield server
    server.kill()


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


async def test_every_event_is_moved_byte_for_byte_and_a_second_run_finds_it_there(
    server: servers.DoubledEventStore, folder: Path
):
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


@pytest.mark.parametrize("passage", [pytest.param(1, marks=pytest.mark.long), 57])
async def test_a_move_that_was_killed_goes_on_where_it_was(
    server: servers.DoubledEventStore, folder: Path, passage: int
):
    code, _, _ = await migrate(folder, "--to", server.uri, RAPPORT_CRASH=f"moving.appended:{passage}")
    assert code == -signal.SIGKILL
    _, partly = await logs(folder, server.uri)
    assert 0 < len(partly) < EVENTS
    code, result, _ = await migrate(folder, "--to", server.uri)
    assert (code, result["copied"]) == (0, EVENTS - len(partly))
    await assert_equal(folder, server.uri)


async def test_a_server_that_loses_answers_gets_every_event_once(folder: Path, double: Double):
    double.lost_replies = 3
    assert (await moved(folder, double.uri))["ok"]
    await assert_equal(folder, double.uri)


async def test_many_events_of_one_stream_share_an_append(tmp_path: Path, double: Double):
    await trade(tmp_path / "data", [1])
    appends: list[str] = []
    async with moving_kit.opened(tmp_path / "data") as log:
        for number in range(220):
            command = RenameCustomer(name=f"Ana {number}")
            await handle(log, customer, customer_id(1), command, context=Context("cli:test", uuid4()))
    crashpoints.arm(appends.append)
    try:
        assert (await moved(tmp_path / "data", double.uri))["events"] == EVENTS_EACH + 220
    finally:
        crashpoints.arm(None)
    assert appends.count("moving.appended") == EVENTS_EACH


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
    source, _ = await logs(folder, double.uri)
    others = request(source[-1].stream, "any", [("crm.test.Placed", b"{}", b"{}")])
    crashpoints.arm(lambda place: place == "moving.people" and double.log.append(others))
    try:
        with pytest.raises(CannotMove, match="somebody else writes to the target"):
            await moved(folder, double.uri)
    finally:
        crashpoints.arm(None)


@pytest.mark.parametrize(
    ("named", "field", "old", "new"),
    [("data", "data", b'"EUR"', b'"EUX"'), ("metadata", "custom_metadata", b'"cli:test"', b'"cli:tesT"')],
)
async def test_one_byte_that_differs_is_found_and_named(
    folder: Path, double: Double, named: str, field: str, old: bytes, new: bytes
):
    first = await moved(folder, double.uri)
    event = next(event for event in double.log.events if event.metadata["type"] == "crm.portal.OrderCancelled")
    setattr(event, field, getattr(event, field).replace(old, new))
    code, result, err = await migrate(folder, "--to", double.uri)
    assert (code, result["ok"], result["events"], result["copied"]) == (1, False, EVENTS, 0)
    assert result["difference"].startswith(f"{named} differ: crm.portal.OrderCancelled")
    assert result["difference"] in err
    assert result["checksum"] == first["checksum"]  # the hash stands beside the bytes


async def test_what_cannot_be_read_back_fails_the_proof_and_is_refused_afterwards(folder: Path, double: Double):
    def tear(place: str) -> None:
        if place == "moving.appended":
            double.log.events[-1].custom_metadata = b"{}"

    crashpoints.arm(tear)
    try:
        result = await moved(folder, double.uri)
    finally:
        crashpoints.arm(None)
    assert not result["ok"]
    assert "was not written by Rapport" in result["difference"]
    with pytest.raises(CannotMove, match="was not written by Rapport"):
        await moved(folder, double.uri)


async def test_a_folder_that_is_served_is_refused(folder: Path, double: Double):
    serving = SqliteStore(folder / "events.db")
    with pytest.raises(StoreInUse):
        await moved(folder, double.uri)
    await serving.close()


async def test_a_damaged_folder_is_refused_before_anything_is_written(folder: Path, double: Double):
    store = SqliteStore(folder / "events.db")
    store._db.execute("UPDATE events SET data = CAST(data || ' ' AS BLOB) WHERE position = 41")
    await store.close()
    before = len(double.log.events)
    with pytest.raises(CannotMove, match="damaged at position 41"):
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


@pytest.mark.parametrize("setting", ["database", "keyring"])
async def test_databases_that_are_not_prepared_are_refused(folder: Path, double: Double, database: str, setting: str):
    with pytest.raises(CannotMove, match="run `rapport database upgrade` first"):
        await moved(folder, double.uri, **{setting: database})


async def test_servers_that_are_away_are_named(folder: Path, double: Double):
    with pytest.raises(Unreachable, match="Kafka at 127.0.0.1:1"):
        await moved(folder, double.uri, kafka="127.0.0.1:1")
    with pytest.raises(Unreachable, match="PostgreSQL"):
        await moved(folder, double.uri, database="postgresql://postgres@127.0.0.1:1/postgres")


@pytest.mark.kafka
async def test_relays_go_on_where_those_of_the_folder_ended(folder: Path, double: Double, kafka: str, prefix: str):
    await relay_folder(folder, kafka, prefix)
    await trade(folder, range(CUSTOMERS, CUSTOMERS + 5))
    where = {"kafka": kafka, "topic_prefix": prefix}
    result = await moved(folder, double.uri, **where)
    store = await EventStoreDB.open(double.uri)
    target = await moving_kit.content(store)
    assert result["relays"] == dict.fromkeys(TRADING, target[EVENTS - 1].position)
    for service in TRADING:
        there = await last_checkpoint(kafka, checkpoints(service, prefix))
        assert there == (str(store.id), target[EVENTS - 1].position)
    assert (await moved(folder, double.uri, **where))["relays"] == {}
    await relayed(store, kafka, prefix, *TRADING)
    await store.close()
    records = [record for service in TRADING for record in await published(kafka, topic(service, prefix))]
    found = [recorded(record, store_of(record)) for record in records]
    assert moving_kit.by_subject_and_service(found) == moving_kit.by_subject_and_service(target)
    assert [event for event in found if event in target[EVENTS:]] == [
        event for event, record in zip(found, records, strict=True) if store_of(record) == store.id
    ]


@pytest.mark.kafka
async def test_topics_that_nobody_has_filled_are_left_to_the_relays(
    folder: Path, double: Double, kafka: str, prefix: str
):
    assert (await moved(folder, double.uri, kafka=kafka, topic_prefix=prefix))["relays"] == {}
    assert await last_checkpoint(kafka, checkpoints("contacts", prefix)) is None


@pytest.mark.kafka
async def test_topics_of_a_third_store_are_refused_before_an_event_is_copied(
    tmp_path: Path, folder: Path, double: Double, kafka: str, prefix: str
):
    await trade(tmp_path / "other", [1])
    await relay_folder(tmp_path / "other", kafka, prefix)
    with pytest.raises(CannotMove, match="was filled from the store"):
        await moved(folder, double.uri, kafka=kafka, topic_prefix=prefix)
    assert not (await logs(folder, double.uri))[1]


@pytest.mark.kafka
async def test_a_folder_that_is_behind_its_topics_is_refused(
    tmp_path: Path, folder: Path, double: Double, kafka: str, prefix: str
):
    shutil.copytree(folder, tmp_path / "backup")
    await trade(folder, [CUSTOMERS])
    await relay_folder(folder, kafka, prefix)
    with pytest.raises(CannotMove, match="the folder ends at"):
        await moved(tmp_path / "backup", double.uri, kafka=kafka, topic_prefix=prefix)


@pytest.mark.kafka
@pytest.mark.parametrize(
    "place",
    [
        "moving.appended:60",
        "moving.built:2",
        pytest.param("moving.people:1", marks=pytest.mark.long),
        pytest.param("moving.relays:1", marks=pytest.mark.long),
    ],
)
async def test_all_of_a_deployment_is_there_wherever_a_move_was_killed(
    folder: Path, double: Double, kafka: str, prefix: str, upgraded: str, engine: sa.Engine, place: str
):
    await relay_folder(folder, kafka, prefix)
    await trade(folder, range(CUSTOMERS, CUSTOMERS + 5))
    where = ["--to", double.uri, "--kafka", kafka, "--database", upgraded, "--keyring", upgraded]
    killed, _, _ = await migrate(folder, *where, RAPPORT_TOPIC_PREFIX=prefix, RAPPORT_CRASH=place)
    assert killed == -signal.SIGKILL
    code, result, err = await migrate(folder, *where, RAPPORT_TOPIC_PREFIX=prefix)
    assert (code, err, result["left"]) == (0, "", [])
    assert result["read_models"] == [family.name for family in FAMILIES]
    store = await EventStoreDB.open(double.uri)
    codec = Codec(PostgresKeyring(engine))
    models = ReadModels(PostgresHome(engine), FAMILIES, codec, store.id)
    positions = [event.position for event in await moving_kit.content(store)]
    built = {generation.family.name: held(generation).tables for generation in models.generations}
    assert built == await moving_kit.folded(folder, positions)
    await assert_kafka_goes_on(store, models, Log(store, PostgresKeyring(engine), codec), kafka, prefix)
    await store.close()


async def assert_kafka_goes_on(store: EventStoreDB, models: ReadModels, log: Log, kafka: str, prefix: str) -> None:
    """What the topics lack is not applied twice, and what happens then is applied."""
    directory = models.active(next(family for family in FAMILIES if family.name == "directory"))
    before = held(directory)
    follower = KafkaFollower(directory, store.id, kafka, group=f"{prefix}directory", instance="one", prefix=prefix)
    async with running(follower):
        await relayed(store, kafka, prefix, *TRADING)
        await handle(
            log, customer, customer_id(1), RenameCustomer(name="Ana Anić"), context=Context("cli:test", uuid4())
        )
        await relayed(store, kafka, prefix, *TRADING)
        await until(lambda: (found := content(directory)) is not None and found.applied > before.applied)
    assert held(directory).applied == before.applied + 1
    assert not directory.parked()


async def relay_folder(folder: Path, kafka: str, prefix: str) -> None:
    """What `rapport up --kafka` does beside the rest."""
    async with moving_kit.opened(folder) as log:
        await relayed(log.store, kafka, prefix, *TRADING)


def store_of(record) -> UUID:
    return UUID(dict(record.headers)["store"].decode())
