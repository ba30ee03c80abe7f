"""The log that a store writes ahead: moved into its file beside the appends, and never longer than it has to be."""

import asyncio
import json
import shutil
from contextlib import asynccontextmanager
from uuid import uuid4

import apsw
import pytest

from shared import sqlite_checkpoints
from shared.envelope import NO_STREAM, Draft
from shared.sqlite_files import open_reader, scalar
from shared.sqlite_store import SqliteStore

PAGES = 100
PAGE_BYTES = 4_096
COUNT = "SELECT count(*) FROM events"


@asynccontextmanager
async def opened(folder):
    store = SqliteStore(folder / "events.db")
    yield store
    await store.close()


@pytest.fixture(autouse=True)
def early(monkeypatch):
    """Checkpoints that are due after few pages."""
    monkeypatch.setattr(sqlite_checkpoints, "_PAGES", PAGES)


@pytest.fixture
async def store(tmp_path):
    async with opened(tmp_path) as store:
        yield store


async def appended(store, pages=10):
    """An event that takes so many pages."""
    data = json.dumps({"text": "x" * PAGE_BYTES * pages}).encode()
    return await store.append(
        f"order-{uuid4()}", NO_STREAM, [Draft(uuid4().bytes, "crm.A", 1, "customer-1", data, b"{}")]
    )


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110, nothing tells what a thread does between two commits
            await asyncio.sleep(0.001)


def in_file(folder):
    """How many events the file has without its log."""
    copy = folder / "copy.db"
    shutil.copyfile(folder / "events.db", copy)
    db = apsw.Connection(str(copy))
    try:
        return scalar(db, COUNT)
    except apsw.Error:  # copied in the midst of a checkpoint, or before the first
        return None
    finally:
        db.close()


async def test_what_is_committed_moves_into_the_file_without_a_commit_that_waits(store, tmp_path):
    for _ in range(PAGES // 10 + 1):
        await appended(store)
    await until(lambda: (in_file(tmp_path) or 0) >= PAGES // 10)


async def test_even_little_moves_into_the_file_after_a_while(store, tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_checkpoints, "_IDLE_SECONDS", 0.01)
    await appended(store, pages=1)
    await until(lambda: in_file(tmp_path) == 1)


async def test_a_log_that_is_written_without_a_pause_stays_short(store, tmp_path):
    written = 0

    async def client():
        nonlocal written
        while written < 100 * PAGES:
            await appended(store)
            written += 10

    await asyncio.gather(*(client() for _ in range(4)))
    assert (tmp_path / "events.db-wal").stat().st_size < 50 * PAGES * PAGE_BYTES


async def test_the_writer_moves_the_tail_that_a_checkpoint_has_left(store, tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_checkpoints, "_PAGES", 1_000_000)
    monkeypatch.setattr(sqlite_checkpoints, "_IDLE_SECONDS", 1_000)
    checkpoints = store._checkpoints
    for _ in range(PAGES // 10):
        await appended(store)
    reader = open_reader(tmp_path / "events.db")
    count = PAGES // 10
    with reader:
        assert scalar(reader, COUNT) == count  # no checkpoint goes beyond what somebody reads
        monkeypatch.setattr(sqlite_checkpoints, "_PAGES", 1)
        while not checkpoints._passed:  # a thread that is done before the append returns has had its turn in vain
            await appended(store, pages=1)
            count += 1
            await asyncio.sleep(0.05)
        monkeypatch.setattr(sqlite_checkpoints, "_PAGES", 1_000_000)
    reader.close()
    length = checkpoints._pages
    assert 0 < checkpoints._moved < length
    await appended(store, pages=1)
    assert in_file(tmp_path) == count + 1
    await appended(store, pages=1)
    assert checkpoints._pages < length


async def test_a_reader_that_holds_a_snapshot_stops_no_append(store, tmp_path):
    await appended(store)
    reader = open_reader(tmp_path / "events.db")
    with reader:
        assert scalar(reader, COUNT) == 1
        async with asyncio.timeout(30):
            for _ in range(PAGES):
                await appended(store)
        assert scalar(reader, COUNT) == 1
    reader.close()
    assert await store.position() == PAGES + 1
    longest = store._checkpoints._pages

    async def restarted():
        await appended(store)
        return store._checkpoints._pages < longest

    async with asyncio.timeout(30):
        while not await restarted():
            pass


async def test_a_closed_store_leaves_everything_in_its_file_and_no_log(tmp_path):
    async with opened(tmp_path) as store:
        await appended(store, pages=1)
        await appended(store, pages=1)
    assert not (tmp_path / "events.db-wal").exists()
    assert in_file(tmp_path) == 2


async def test_a_store_closes_at_once_beside_a_reader_of_another_process(tmp_path):
    async with opened(tmp_path) as store:
        await appended(store, pages=1)
        reader = open_reader(tmp_path / "events.db")
        reader.execute("BEGIN")
        assert scalar(reader, COUNT) == 1
        await appended(store, pages=1)
        async with asyncio.timeout(3):
            await store.close()
    assert scalar(reader, COUNT) == 1
    reader.execute("COMMIT")
    assert scalar(reader, COUNT) == 2
    reader.close()


async def test_a_log_that_a_crash_has_left_is_moved_when_the_store_opens(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_checkpoints, "_IDLE_SECONDS", 1_000)
    (tmp_path / "crashed").mkdir()
    async with opened(tmp_path) as store:
        await appended(store)
        for name in ("events.db", "events.db-wal"):
            shutil.copyfile(tmp_path / name, tmp_path / "crashed" / name)
    assert b"x" * PAGE_BYTES not in (tmp_path / "crashed" / "events.db").read_bytes()
    async with opened(tmp_path / "crashed") as store:
        await until(lambda: in_file(tmp_path / "crashed") == 1)
        assert await store.position() == 1


async def test_a_checkpoint_that_fails_costs_no_append(store, tmp_path, caplog):
    class FullDisk:
        def wal_checkpoint(self, **asked):
            raise apsw.FullError("database or disk is full")

    sound, store._checkpoints._db = store._checkpoints._db, FullDisk()
    for _ in range(PAGES // 10 + 1):
        await appended(store)
    await until(lambda: "disk is full" in caplog.text)
    await appended(store)
    store._checkpoints._db = sound
    assert await store.position() == PAGES // 10 + 2
