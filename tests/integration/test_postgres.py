"""What is kept in PostgreSQL, with several processes at it and the server going away."""

import asyncio
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from argon2 import PasswordHasher
from postgres_server import LocalPostgres
from servers import Absent

from shared import migrations, postgres_keyring
from shared.accounts import Accounts
from shared.errors import RapportError, StoreFailed, Unreachable
from shared.postgres import engine
from shared.postgres_keyring import PostgresKeyring
from shared.postgres_lock import leadership

REPOSITORY = Path(__file__).resolve().parents[2]
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
SOON = 10
AT_ONCE = 2


@pytest.fixture
def upgraded(database):
    migrations.upgrade(database, database)
    return database


@pytest.fixture
def connect(request):
    """Opens an engine that is closed after the test."""

    def connect(url, **options):
        opened = engine(url, **options)
        request.addfinalizer(opened.dispose)
        return opened

    return connect


async def hold(url, name, held):
    """Hold a lock until it is lost."""
    async with leadership(url, name) as lost:
        held.set()
        await lost.wait()


@pytest.mark.parametrize("url", ["mysql://a:pass@db/x", "sqlite:///x", "pass", "postgresql://a:pass@db:port/x"])
def test_only_postgresql_is_opened_and_a_password_is_not_repeated(url):
    with pytest.raises(RapportError, match="postgresql://") as caught:
        engine(url)
    assert "pass@" not in str(caught.value)


def test_a_server_without_fsync_is_refused():
    try:
        server = LocalPostgres(fsync="off")
    except Absent as absent:
        pytest.skip(str(absent))
    opened = engine(server.url)
    with pytest.raises(StoreFailed, match="fsync=off"):
        opened.connect()
    opened.dispose()
    server.remove()


def test_a_database_that_commits_without_waiting_for_the_disk_is_refused(database, connect):
    opened = connect(database)
    with opened.begin() as connection:
        connection.execute(sa.text(f"ALTER DATABASE {opened.url.database} SET synchronous_commit = off"))
    opened.dispose()
    with pytest.raises(StoreFailed, match="synchronous_commit=off"):
        opened.connect()


def test_the_url_says_more_than_the_defaults(database, connect):
    opened = connect(f"{database}?application_name=mine&connect_timeout=7", application="rapport contacts")
    with opened.connect() as connection:
        assert connection.execute(sa.text("SHOW application_name")).scalar() == "mine"
        assert connection.execute(sa.text("SHOW tcp_keepalives_idle")).scalar() == "3"


async def test_one_holds_the_lock_and_the_next_gets_it_when_the_connection_is_lost(database):
    async with leadership(database, "relay a") as lost:
        held = asyncio.Event()
        other = asyncio.create_task(hold(database, "relay a", held))
        async with leadership(database, "relay b"):
            assert not held.is_set()
        with psycopg.connect(database) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        await asyncio.wait_for(lost.wait(), SOON)
        await asyncio.wait_for(held.wait(), SOON)
    assert not other.done()
    other.cancel()
    await asyncio.wait([other], timeout=AT_ONCE)
    assert other.cancelled()
    async with asyncio.timeout(SOON), leadership(database, "relay a"):
        pass


async def test_a_server_that_hangs_is_noticed_and_left_at_once(own_postgres):
    async with leadership(own_postgres.url, "relay a") as lost:
        waiting = asyncio.create_task(hold(own_postgres.url, "relay a", asyncio.Event()))
        while own_postgres.connections("rapport relay a") < 2:  # noqa: ASYNC110, it happens in the server
            await asyncio.sleep(0)
        own_postgres.pause()
        await asyncio.wait_for(lost.wait(), SOON)
        began = time.monotonic()
        waiting.cancel()
        await asyncio.wait([waiting], timeout=SOON)
        assert waiting.cancelled()
    assert time.monotonic() - began < AT_ONCE
    own_postgres.resume()


async def test_a_lock_outlives_its_server(own_postgres):
    held = asyncio.Event()
    async with leadership(own_postgres.url, "relay a") as lost:
        own_postgres.kill()
        await asyncio.wait_for(lost.wait(), SOON)
        again = asyncio.create_task(hold(own_postgres.url, "relay a", held))
    own_postgres.up()
    await asyncio.wait_for(held.wait(), SOON)
    again.cancel()
    await asyncio.wait([again], timeout=AT_ONCE)
    assert again.cancelled()


def test_the_tables_are_as_the_program_means_them(upgraded, connect):
    for name, history in migrations.HISTORIES.items():
        with connect(upgraded).connect() as connection:
            options = {
                "version_table": history.version_table,
                "version_table_schema": name,
                "include_schemas": True,
                "include_name": lambda found, kind, _, name=name: kind != "schema" or found == name,
                "compare_type": True,
                "compare_server_default": False,
            }
            context = MigrationContext.configure(connection, opts=options)
            assert compare_metadata(context, history.metadata) == []
            assert len(sa.inspect(connection).get_table_names(schema=name)) == len(history.metadata.tables) + 1
            assert sa.inspect(connection).get_table_names(schema="public") == []


def test_a_service_knows_whether_an_upgrade_is_pending(database, connect):
    opened = connect(database)
    assert all(migrations.pending(opened, name) for name in migrations.HISTORIES)
    for _ in range(2):
        migrations.upgrade(database, database)
        assert not any(migrations.pending(opened, name) for name in migrations.HISTORIES)


def test_upgrades_at_the_same_time_make_one_administrator(database, connect):
    command = [sys.executable, "-m", "services", "database", "upgrade", "--json"]
    where = {**os.environ, "RAPPORT_DATABASE": database, "RAPPORT_KEYRING": database}
    running = [
        subprocess.Popen(command, cwd=REPOSITORY, env=where, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [process.communicate() for process in running]
    assert [(process.returncode, err) for process, (_, err) in zip(running, said, strict=True)] == [(0, "")] * 3
    made = [json.loads(out)["administrator"] for out, _ in said]
    assert sum(each is not None for each in made) == 1
    accounts = Accounts(connect(database))
    (first,) = filter(None, made)
    assert asyncio.run(accounts.sign_in(first["name"], first["password"]))
    accounts.close()


def test_of_many_that_run_first_one_does(upgraded, connect):
    opened = [Accounts(connect(upgraded), hasher=CHEAP) for _ in range(8)]
    with ThreadPoolExecutor(len(opened)) as threads:
        made = list(threads.map(Accounts.first_run, opened))
    assert sum(each is not None for each in made) == 1
    for accounts in opened:
        accounts.close()


def test_many_processes_make_one_key(upgraded, connect):
    keyrings = [PostgresKeyring(connect(upgraded)) for _ in range(8)]
    with ThreadPoolExecutor(len(keyrings)) as threads:
        for number in range(20):
            made = list(threads.map(PostgresKeyring.key, keyrings, [f"customer-{number}"] * len(keyrings)))
            assert len(set(made)) == 1


def test_an_erasure_is_seen_by_a_process_that_goes_on_reading(upgraded, connect):
    here, there = (PostgresKeyring(connect(upgraded)) for _ in range(2))
    assert here.key("customer-1") == there.key("customer-1")
    there.destroy("customer-1")
    by = time.monotonic() + postgres_keyring.FRESH_SECONDS + 1
    while here.find("customer-1") is not None:
        assert time.monotonic() < by


def test_a_destroyed_key_is_in_no_file_of_the_database(own_postgres, connect):
    migrations.upgrade(own_postgres.url, own_postgres.url)
    opened = connect(own_postgres.url)
    keyring = PostgresKeyring(opened)
    kept = {subject: keyring.key(subject) for subject in (f"{number:0{3 + number % 2 * 200}}" for number in range(200))}
    with opened.connect().execution_options(isolation_level="AUTOCOMMIT") as maintenance:
        maintenance.exec_driver_sql("ANALYZE keyring.keys")
        # What remains of a full page moves into the gap that a long row leaves, and a copy of it stays where it was.
        last = "SELECT subject FROM keyring.keys WHERE ctid < '(1,0)' ORDER BY ctid DESC LIMIT 3"
        destroyed = sorted(maintenance.exec_driver_sql(last).scalars(), key=len, reverse=True)
        for subject in destroyed:
            keyring.destroy(subject)
        maintenance.exec_driver_sql("ANALYZE keyring.keys")
        maintenance.exec_driver_sql("CHECKPOINT")
    files = (own_postgres.folder / "data" / "base").rglob("*")
    written = b"".join(file.read_bytes() for file in files if file.is_file())
    assert {subject for subject in kept if kept[subject] not in written} == set(destroyed)


def test_an_erasure_that_cannot_clean_up_says_so_and_can_be_repeated(upgraded, connect, monkeypatch):
    monkeypatch.setattr(postgres_keyring, "_LOCK_SECONDS", 0.1)
    opened = connect(upgraded, pool_size=1, max_overflow=0)
    keyring = PostgresKeyring(opened)
    keyring.key("customer-1")
    with connect(upgraded).connect() as reader:
        reader.execute(sa.text("SELECT * FROM keyring.keys"))
        with pytest.raises(Unreachable, match="lock timeout"):
            keyring.destroy("customer-1")
        assert keyring.find("customer-1") is None
    keyring.destroy("customer-1")
    with opened.connect() as connection:
        assert connection.execute(sa.text("SHOW lock_timeout")).scalar() == "4s"


def test_a_keyring_that_is_away_is_unreachable_and_comes_back(own_postgres, connect, monkeypatch):
    monkeypatch.setattr(postgres_keyring, "FRESH_SECONDS", 0)
    migrations.upgrade(own_postgres.url, own_postgres.url)
    keyring = PostgresKeyring(connect(own_postgres.url))
    key = keyring.key("customer-1")
    own_postgres.kill()
    for use in (keyring.key, keyring.find, keyring.destroy):
        with pytest.raises(Unreachable, match="does not answer"):
            use("customer-1")
    own_postgres.up()
    assert keyring.find("customer-1") == key
    own_postgres.restart()
    assert keyring.key("customer-1") == key


def test_busy_connections_are_unreachable_too(upgraded, connect, monkeypatch):
    opened = connect(f"{upgraded}", pool_size=1, max_overflow=0)
    monkeypatch.setattr(opened.pool, "_timeout", 0.1)
    keyring = PostgresKeyring(opened)
    with opened.connect(), pytest.raises(Unreachable, match="in use"):
        keyring.find("customer-1")
    assert keyring.find("customer-1") is None


def test_an_upgrade_of_a_server_that_is_away_ends_with_one_line(own_postgres):
    own_postgres.kill()
    where = ["--database", own_postgres.url.replace("postgres@", "postgres:pass@"), "--keyring", own_postgres.url]
    command = [sys.executable, "-m", "services", "database", "upgrade", *where]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("rapport: PostgreSQL does not answer")
    assert done.stderr.count("\n") == 1
    assert "pass@" not in done.stderr
