"""Callers who ask for the same secret at the same time share a look, and nobody gets an older one."""

from __future__ import annotations

import asyncio
import threading

import pytest

from shared.web.lookups import Lookups


class Book:
    """Answers with what it holds when it is asked; waits for `go` before that."""

    def __init__(self):
        self.held = "old"
        self.broken = False
        self.asked = []
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    def look_up(self, secret):
        found = f"{secret} {self.held}"
        self.asked.append(secret)
        self.begun.release()
        if not self.go.acquire(timeout=10):
            raise TimeoutError
        if self.broken:
            raise ValueError(secret)
        return found


@pytest.fixture
def book():
    return Book()


async def test_all_who_ask_at_the_same_time_share_one_look(book):
    lookups = Lookups(book.look_up)
    book.go.release()
    async with asyncio.timeout(10):
        assert await asyncio.gather(*(lookups.find("a") for _ in range(64))) == ["a old"] * 64
    assert book.asked == ["a"]


async def test_who_asks_while_others_are_looking_does_not_get_what_they_find(book):
    lookups = Lookups(book.look_up)
    first = asyncio.create_task(lookups.find("a"))
    await asyncio.to_thread(book.begun.acquire)
    book.held = "new"
    later = [asyncio.create_task(lookups.find("a")) for _ in range(3)]
    book.go.release(2)
    async with asyncio.timeout(10):
        assert await first == "a old"
        assert await asyncio.gather(*later) == ["a new"] * 3
    assert book.asked == ["a", "a"]


async def test_no_secret_waits_for_another(book):
    lookups = Lookups(book.look_up)
    slow, quick = asyncio.create_task(lookups.find("slow")), asyncio.create_task(lookups.find("quick"))
    async with asyncio.timeout(10):
        for _ in range(2):
            await asyncio.to_thread(book.begun.acquire)
        book.go.release(2)
        assert await asyncio.gather(slow, quick) == ["slow old", "quick old"]


async def test_a_look_that_fails_fails_for_those_who_asked_and_for_nobody_after(book):
    lookups = Lookups(book.look_up)
    book.broken = True
    book.go.release(2)
    async with asyncio.timeout(10):
        answers = await asyncio.gather(*(lookups.find("a") for _ in range(3)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [ValueError] * 3
        book.broken = False
        assert await lookups.find("a") == "a old"


async def test_a_caller_who_leaves_takes_nobody_along(book):
    lookups = Lookups(book.look_up)
    leaving, staying = (asyncio.create_task(lookups.find("a")) for _ in range(2))
    await asyncio.to_thread(book.begun.acquire)
    leaving.cancel()
    book.go.release()
    async with asyncio.timeout(10):
        assert await staying == "a old"
    with pytest.raises(asyncio.CancelledError):
        await leaving
