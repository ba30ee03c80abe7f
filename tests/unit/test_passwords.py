"""Which passwords are good enough, and how one is checked."""

from __future__ import annotations

import asyncio

import pytest
from argon2 import PasswordHasher, extract_parameters

from shared.errors import Refused, Unreachable
from shared.passwords import AT_ONCE, MAX_WAITING, Passwords, acceptable, generated

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def passwords():
    passwords = Passwords(CHEAP)
    yield passwords
    passwords.close()


@pytest.mark.parametrize(
    "password",
    [
        "a horse!",
        "  spaces  ",
        "🐎🔋📎✅🐎🔋📎✅",
        "x" * 63 + "y",
        "ab" * 512,
        "null\x00byte!",
        "Päss wörd",
        pytest.param(generated(), id="generated"),
    ],
)
async def test_a_good_password_is_kept_whole(passwords, password):
    kept = passwords.hash(acceptable(password, "anna"))
    assert await passwords.check(kept, password)
    assert not await passwords.check(kept, password + "x")
    assert not await passwords.check(kept, password[:-1])
    assert not await passwords.check(kept, password.strip() + " ")


@pytest.mark.parametrize(
    "password",
    [
        "",
        "x",
        "1234567",
        "12345678",
        "password",
        "PassW0rd1",
        " qwerty123 ",
        "aaaaaaaaaaaa",
        "annamaria",
        "AnnaMaria1985!",
        "rapport2026",
        "x" * 1_025,
        "é" * 513,
        "x1" * 500_000,
        "surrogate\ud800",
    ],
)
def test_a_bad_password_is_refused_with_what_to_do(password):
    with pytest.raises(Refused) as caught:
        acceptable(password, "annamaria")
    assert caught.value.field == "new"
    assert caught.value.message.startswith("must")


async def test_two_ways_to_type_an_accent_are_one_password(passwords):
    kept = passwords.hash(acceptable("cafe\u0301 noir", "anna"))
    assert await passwords.check(kept, "caf\u00e9 noir")


async def test_nothing_is_cut_off_as_bcrypt_would(passwords):
    kept = passwords.hash(acceptable("x1" * 36 + "end", "anna"))
    assert not await passwords.check(kept, "x1" * 36 + "END")


@pytest.mark.parametrize("hostile", ["", "\ud800", "x" * 1_000_000, "\x00"])
async def test_any_text_can_be_checked(passwords, hostile):
    assert not await passwords.check(passwords.hash("a good one"), hostile)
    assert not await passwords.check(None, hostile)
    assert not await passwords.check("not a hash", hostile)


async def test_without_a_kept_password_the_same_work_is_done():
    class Counting(PasswordHasher):
        checked = 0

        def verify(self, *given):
            self.checked += 1
            return super().verify(*given)

    hasher = Counting(time_cost=1, memory_cost=8, parallelism=1)
    passwords = Passwords(hasher)
    kept = passwords.hash("a good one")
    await passwords.check(kept, "another one")
    with_one = hasher.checked
    await passwords.check(None, "another one")
    assert hasher.checked == 2 * with_one == 2


async def test_the_event_loop_goes_on_and_two_hash_at_once():
    class Slow(PasswordHasher):
        running = most = 0

        def verify(self, *given):
            self.running += 1
            self.most = max(self.most, self.running)
            try:
                return super().verify(*given)
            finally:
                self.running -= 1

    hasher = Slow(time_cost=2, memory_cost=19 * 1024, parallelism=1)
    passwords = Passwords(hasher)
    kept = passwords.hash("a good one")
    checks = [asyncio.create_task(passwords.check(kept, "a good one")) for _ in range(8)]
    turns = 0
    while not all(check.done() for check in checks):
        await asyncio.sleep(0)
        turns += 1
    assert turns > 100
    assert hasher.most <= AT_ONCE


async def test_a_flood_of_checks_is_turned_away(passwords):
    checks = [passwords.check(None, "another one") for _ in range(MAX_WAITING * 2)]
    outcomes = await asyncio.gather(*checks, return_exceptions=True)
    assert sum(isinstance(outcome, Unreachable) for outcome in outcomes) == MAX_WAITING


def test_the_hash_is_argon2id_with_enough_memory():
    passwords = Passwords()
    parameters = extract_parameters(passwords.hash("a good one"))
    assert parameters.type.name == "ID"
    assert parameters.memory_cost >= 19 * 1024
    assert parameters.time_cost >= 2


def test_generated_passwords_are_good_and_never_the_same():
    made = {generated() for _ in range(1_000)}
    assert len(made) == 1_000
    assert all(acceptable(password, "anna") == password for password in made)
