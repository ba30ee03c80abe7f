"""Guessing is slowed down; the one who knows the password is not locked out."""

from __future__ import annotations

import pytest

from shared.throttle import FREE_TRIES, FREE_TRIES_OF_MANY, LONGEST_WAIT, MOST_KEPT, Throttle


class Clock:
    now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def throttle(clock):
    return Throttle(clock)


def guess(throttle, clock, name, address, seconds):
    """How many guesses count within some seconds, for one who always waits just long enough."""
    end = clock.now + seconds
    counted = 0
    while clock.now <= end:
        wait = throttle.enter(name, address)
        clock.now += wait
        counted += wait == 0
    return counted


def test_ten_tries_are_free_and_each_further_one_waits_twice_as_long(throttle, clock):
    assert [throttle.enter("anna", "1.1.1.1") for _ in range(FREE_TRIES)] == [0] * FREE_TRIES
    waits = []
    for _ in range(12):
        waits.append(throttle.enter("anna", "1.1.1.1"))
        clock.now += waits[-1]
        assert throttle.enter("anna", "1.1.1.1") == 0
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, LONGEST_WAIT, LONGEST_WAIT]


def test_a_guesser_gets_a_hundred_tries_a_day(throttle, clock):
    assert guess(throttle, clock, "anna", "1.1.1.1", 86_400) < 120


def test_a_hundred_tries_at_once_are_not_one(throttle):
    assert sum(throttle.enter("anna", "1.1.1.1") == 0 for _ in range(100)) == FREE_TRIES


def test_another_account_and_another_address_are_not_slowed_down(throttle):
    for _ in range(50):
        throttle.enter("anna", "1.1.1.1")
    assert throttle.enter("anna", "2.2.2.2") == 0
    assert throttle.enter("bas", "1.1.1.1") == 0


def test_many_addresses_together_do_not_get_more_tries_at_one_account(throttle):
    counted = sum(throttle.enter("anna", f"10.0.{n // 250}.{n % 250}") == 0 for n in range(1_000))
    assert counted == FREE_TRIES_OF_MANY


def test_one_address_does_not_get_more_tries_at_many_accounts(throttle):
    assert sum(throttle.enter(f"name-{n}", "1.1.1.1") == 0 for n in range(1_000)) == FREE_TRIES_OF_MANY


def test_the_owner_still_gets_in_from_where_they_came_before(throttle):
    throttle.enter("anna", "home")
    throttle.succeeded("anna", "home")
    for n in range(1_000):
        throttle.enter("anna", f"10.0.{n // 250}.{n % 250}")
    assert throttle.enter("anna", "elsewhere") > 0
    assert throttle.enter("anna", "home") == 0


def test_a_right_password_gives_the_tries_back(throttle):
    for _ in range(100):
        assert throttle.enter("anna", "home") == 0
        throttle.succeeded("anna", "home")


def test_success_with_ones_own_account_does_not_buy_tries_at_others(throttle):
    counted = 0
    for n in range(1_000):
        counted += throttle.enter(f"victim-{n}", "1.1.1.1") == 0
        throttle.enter("mallory", "1.1.1.1")
        throttle.succeeded("mallory", "1.1.1.1")
    assert counted <= FREE_TRIES_OF_MANY


def test_tries_are_forgotten_after_a_quiet_hour(throttle, clock):
    for _ in range(FREE_TRIES + 1):
        throttle.enter("anna", "1.1.1.1")
    assert throttle.enter("anna", "1.1.1.1") > 0
    clock.now += 3_601
    assert [throttle.enter("anna", "1.1.1.1") for _ in range(FREE_TRIES)] == [0] * FREE_TRIES


def test_memory_is_bounded_whatever_is_tried(throttle):
    for n in range(MOST_KEPT):
        throttle.enter(f"name-{n}", f"address-{n}")
    assert len(throttle._tries) <= MOST_KEPT
