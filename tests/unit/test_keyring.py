import copy
from functools import partial

import psycopg
import pytest
from postgres_server import empty_database

from shared import migrations, postgres_keyring
from shared.errors import SubjectIsErased
from shared.keyring import SqliteKeyring, fingerprint
from shared.postgres import engine
from shared.postgres_keyring import FRESH_SECONDS, PostgresKeyring


@pytest.fixture(scope="module")
def upgraded(postgres):
    with empty_database(postgres) as url:
        migrations.upgrade(url, url)
        yield url


@pytest.fixture
def on_postgres(upgraded):
    """Opens the keyring of this test, as each process does."""
    opened = []

    def connect():
        opened.append(PostgresKeyring(engine(upgraded)))
        return opened[-1]

    with psycopg.connect(upgraded) as connection:
        connection.execute("TRUNCATE keyring.keys")
    yield connect
    for keyring in opened:
        keyring.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def connect(request, tmp_path):
    if request.param == "sqlite":
        return partial(SqliteKeyring, tmp_path / "keys.db")
    return request.getfixturevalue("on_postgres")


@pytest.fixture
def moments(monkeypatch):
    """Time as the keyring sees it: one element, which a test may raise."""
    moments = [1000.0]
    monkeypatch.setattr(postgres_keyring.time, "monotonic", lambda: moments[0])
    return moments


def test_a_key_is_made_once_and_survives_a_restart(connect):
    keyring = connect()
    key = keyring.key("customer-1")
    assert keyring.key("customer-1") == key
    assert keyring.key("customer-2") != key
    keyring.close()
    again = connect()
    assert again.find("customer-1") == key
    assert again.key("customer-1") == key
    assert again.find("customer-3") is None


def test_a_destroyed_key_is_gone_for_ever(connect):
    keyring = connect()
    keyring.key("customer-1")
    keyring.destroy("customer-1")
    keyring.destroy("customer-1")
    assert keyring.find("customer-1") is None
    with pytest.raises(SubjectIsErased):
        keyring.key("customer-1")
    keyring.destroy("customer-never-seen")
    for opened in (keyring, connect()):
        with pytest.raises(SubjectIsErased):
            opened.key("customer-never-seen")
        assert opened.find("customer-never-seen") is None


async def test_the_destroyed_ones_are_known_and_new_keys_are_made_beside_them(connect):
    keyring = connect()
    keyring.key("customer-1")
    keyring.key("customer-2")
    keyring.destroy("customer-2")
    keyring.destroy("customer-3")
    assert keyring.destroyed() == connect().destroyed() == {"customer-2", "customer-3"}
    for opened in (keyring, connect()):
        await opened.ready({"customer-2", "customer-4", "customer-5"}, make=True)
        assert opened.find("customer-2") is None
        assert opened.find("customer-4") is not None


def test_a_destroyed_key_is_not_in_the_file(tmp_path):
    keyring = SqliteKeyring(tmp_path / "keys.db")
    key = keyring.key("customer-1")
    keyring.destroy("customer-1")
    for file in tmp_path.iterdir():
        assert key not in file.read_bytes()


def test_where_a_keyring_was_sent_a_key_does_not_outlive_its_erasure(tmp_path):
    keyring = SqliteKeyring(tmp_path / "keys.db")
    sent = copy.copy(keyring)  # by way of what is pickled
    assert sent.find("customer-1") is None
    key = keyring.key("customer-1")
    assert sent.find("customer-1") == key
    keyring.destroy("customer-1")
    assert sent.find("customer-1") is None


def test_two_processes_agree_on_a_key(on_postgres):
    here, there = on_postgres(), on_postgres()
    assert here.find("customer-1") is there.find("customer-1") is None
    assert here.key("customer-1") == there.key("customer-1") == here.find("customer-1")


def test_an_erasure_elsewhere_is_seen_soon_and_what_is_known_costs_no_query(on_postgres, moments):
    here, there = on_postgres(), on_postgres()
    key = here.key("customer-1")
    kept = here.key("customer-2")
    here._engine.dispose()
    there.destroy("customer-1")
    moments[0] += FRESH_SECONDS / 2
    assert here.find("customer-1") == key
    assert here._engine.pool.checkedin() == 0
    moments[0] += FRESH_SECONDS / 2
    assert here.find("customer-1") is None
    assert here.key("customer-2") == kept
    with pytest.raises(SubjectIsErased):
        here.key("customer-1")


def test_a_key_that_is_read_while_it_is_destroyed_is_not_remembered(on_postgres, moments):
    here, there = on_postgres(), on_postgres()
    there.key("customer-1")
    reading = here._current()
    there.destroy("customer-1")
    moments[0] += FRESH_SECONDS
    assert here.find("customer-2") is None
    reading["customer-1"] = b"what a slow thread has read before"
    assert here.find("customer-1") is None


def test_only_the_owner_can_read_the_file(tmp_path):
    SqliteKeyring(tmp_path / "keys.db")
    assert (tmp_path / "keys.db").stat().st_mode & 0o077 == 0


def test_a_fingerprint_depends_on_key_and_content():
    assert len({fingerprint(b"k", b"a"), fingerprint(b"k", b"b"), fingerprint(b"l", b"a")}) == 3
