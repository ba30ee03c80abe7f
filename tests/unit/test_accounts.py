"""Who may come in, for how long, and what is kept of their secrets."""

from __future__ import annotations

import asyncio
import stat
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg
import pytest
from argon2 import PasswordHasher
from postgres_server import empty_database
from sqlalchemy import select

from shared import migrations, postgres
from shared.account_tables import metadata, opened, staff
from shared.accounts import Accounts, TooManyTries
from shared.errors import Refused
from shared.web.guard import Principal

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
GOOD = "correct horse battery"


class Clock:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "accounts.db"


@pytest.fixture(scope="module")
def upgraded(postgres):
    with empty_database(postgres) as url:
        migrations.upgrade(url, url)
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def connect(request, path):
    """Opens the accounts of this test, again and again."""
    if request.param == "sqlite":
        return partial(opened, path)
    url = request.getfixturevalue("upgraded")
    with psycopg.connect(url) as connection:
        connection.execute("TRUNCATE accounts.staff, accounts.sessions, accounts.tokens, accounts.notes")
    return partial(postgres.engine, url)


@pytest.fixture
def accounts(connect, clock):
    accounts = Accounts(connect(), clock=clock, hasher=CHEAP)
    yield accounts
    accounts.close()


@pytest.fixture
def anna(accounts):
    return accounts.add_staff("anna", "specialist")


def test_the_first_run_makes_an_administrator_once(accounts):
    name, secret = accounts.first_run()
    assert name == "admin"
    assert len(secret) > 20
    assert accounts.first_run() is None


async def test_a_password_opens_a_session(accounts, anna):
    session_id = await accounts.sign_in(" Anna ", anna)
    assert accounts.session(session_id) == Principal("anna", "staff", "specialist")
    assert len(session_id) >= 22
    accounts.sign_out(session_id)
    assert accounts.session(session_id) is None


@pytest.mark.parametrize(
    "name", ["anna", "nobody", "", "x" * 100_000, "a\x00", "\ud800", "'; drop table staff;--", "ａｎｎａ"]
)
async def test_a_wrong_name_and_a_wrong_password_read_the_same(accounts, anna, name):
    with pytest.raises(Refused) as caught:
        await accounts.sign_in(name, anna + "x")
    assert (caught.value.message, caught.value.field) == ("Name or password is wrong.", "password")


async def test_guessing_is_slowed_down_for_names_that_exist_and_for_those_that_do_not(accounts, anna):
    for name in ("anna", "nobody"):
        for _ in range(10):
            with pytest.raises(Refused):
                await accounts.sign_in(name, "wrong", "1.1.1.1")
        with pytest.raises(TooManyTries):
            await accounts.sign_in(name, anna, "1.1.1.1")


async def test_a_session_ends_when_nobody_uses_it_and_after_a_week(accounts, anna, clock):
    idle = await accounts.sign_in("anna", anna)
    clock.now += timedelta(hours=8)
    assert accounts.session(idle) is None
    used = await accounts.sign_in("anna", anna)
    began = clock.now
    while clock.now < began + timedelta(days=7):
        assert accounts.session(used) is not None
        clock.now += timedelta(hours=7)
    assert accounts.session(used) is None


async def test_a_new_password_ends_every_session_and_the_old_password(accounts, anna):
    first, second = [await accounts.sign_in("anna", anna) for _ in range(2)]
    fresh = await accounts.change_password("anna", anna, GOOD)
    assert accounts.session(first) is accounts.session(second) is None
    assert accounts.session(fresh) == Principal("anna", "staff", "specialist")
    with pytest.raises(Refused):
        await accounts.sign_in("anna", anna)
    assert accounts.session(await accounts.sign_in("anna", GOOD))


@pytest.mark.parametrize(
    ("old", "new", "field"), [("wrong", GOOD, "old"), (None, "short", "new"), (None, "anna1985", "new")]
)
async def test_a_password_changes_only_for_who_knows_the_old_one_and_only_to_a_good_one(
    accounts, anna, old, new, field
):
    with pytest.raises(Refused) as caught:
        await accounts.change_password("anna", old or anna, new)
    assert caught.value.field == field
    assert await accounts.sign_in("anna", anna)


async def test_a_password_that_changes_while_it_is_checked_opens_nothing(accounts, anna):
    kept = accounts._kept("anna")
    await accounts.change_password("anna", anna, GOOD)
    with pytest.raises(Refused):
        accounts._begin("anna", kept)


async def test_the_role_of_a_session_is_the_role_of_this_moment(accounts, anna):
    session_id = await accounts.sign_in("anna", anna)
    with accounts._engine.begin() as connection:
        connection.execute(staff.update().values(role="manager"))
    assert accounts.session(session_id).role == "manager"
    with accounts._engine.begin() as connection:
        connection.execute(staff.delete())
    assert accounts.session(session_id) is None


def test_a_token_is_a_service(accounts):
    secret = accounts.add_token("sync", "operator")
    assert accounts.token(secret) == Principal("sync", "service", "operator")
    for wrong in ("", secret[:-1], secret.upper(), "\ud800", "x" * 100_000):
        assert accounts.token(wrong) is None
    assert accounts.session(secret) is None


@pytest.mark.parametrize("add", ["add_staff", "add_token"])
@pytest.mark.parametrize(
    ("name", "role", "field"),
    [
        ("anna", "admin", "name"),
        ("Anna B", "admin", "name"),
        ("", "admin", "name"),
        ("x" * 65, "admin", "name"),
        ("cli:root", "admin", "name"),
        ("bas\n", "admin", "name"),
        ("bas", "boss", "role"),
        ("bas", "customer", "role"),
    ],
)
def test_names_are_plain_and_taken_once_and_roles_are_known(accounts, add, name, role, field):
    accounts.add_staff("anna", "specialist")
    accounts.add_token("anna", "specialist")
    with pytest.raises(Refused) as caught:
        getattr(accounts, add)(name, role)
    assert caught.value.field == field


async def test_no_secret_is_kept(accounts, anna):
    session_id = await accounts.sign_in("anna", anna)
    token = accounts.add_token("sync", "operator")
    with accounts._engine.connect() as connection:
        assert connection.scalar(select(staff.c.password)).startswith("$argon2id$")
        kept = repr([connection.execute(select(table)).all() for table in metadata.sorted_tables])
    assert kept.count("anna") == 2
    for secret in (anna, session_id, token):
        assert secret not in kept


async def test_no_secret_is_in_the_file(path):
    accounts = Accounts(opened(path), hasher=CHEAP)
    password = accounts.add_staff("anna", "specialist")
    secrets = [password, await accounts.sign_in("anna", password), accounts.add_token("sync", "operator")]
    written = b"".join(file.read_bytes() for file in path.parent.iterdir())
    accounts.close()
    assert not any(secret.encode() in written for secret in secrets)


async def test_accounts_are_there_after_a_restart(accounts, anna, connect, clock):
    session_id = await accounts.sign_in("anna", anna)
    again = Accounts(connect(), clock=clock, hasher=CHEAP)
    assert again.session(session_id)
    assert again.first_run() is None
    again.close()


async def test_only_the_owner_of_the_folder_reads_the_file(path):
    accounts = Accounts(opened(path), hasher=CHEAP)
    assert accounts.first_run()
    assert [stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()] == [0o600] * 3
    accounts.close()


async def test_many_come_in_at_once(accounts, anna):
    ids = await asyncio.gather(*(accounts.sign_in("anna", anna, f"address-{n}") for n in range(40)))
    assert len(set(ids)) == 40
    found = await asyncio.gather(*(asyncio.to_thread(accounts.session, id_) for id_ in ids))
    assert all(found)


def test_a_note_stays(accounts):
    accounts.note("staff:anna", "events revealed", "subject=customer-1")
    accounts.note("staff:bas", "events revealed", "subject=customer-2")
    kept = accounts.notes()
    assert [note["actor"] for note in kept] == ["staff:anna", "staff:bas"]
    assert kept[0]["at"] == "2026-03-01T12:00:00.000000Z"
