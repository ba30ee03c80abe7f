"""A long history is built anew while commands arrive and readers look: they notice nothing."""

import asyncio
import os
import random
import sys
import time
from itertools import islice
from uuid import UUID

import facts
import pytest
from test_replays import NEW, OLD, folded, opened, sell, tables

from shared import serving
from shared.envelope import NO_STREAM, Draft, Metadata, pack
from shared.projections.catalog import Wish
from shared.sqlite_files import open_durable
from shared.sqlite_store import SqliteStore
from shared.sqlite_writer import Append, Writer

LONG = os.environ.get("RAPPORT_LONG") == "1"
EVENTS, A_SECOND = (1_000_000, 200) if LONG else (10_000, 50)
AT_MOST = 0.050
"""Seconds that a swap may keep anything from being applied; asserted of a machine that does nothing else."""
LOOKING = 0.2
"""The share of the time for which a reader looks: over a long history a look is a second's work for PostgreSQL."""
NEAR = 5_000
"""How far behind the head it may still be when its operator has it swapped."""
_AT_ONCE = 5_000


@pytest.fixture(autouse=True)
def as_served():
    """Threads take turns as often as in a process that serves."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(serving._SWITCH_SECONDS)
    yield
    sys.setswitchinterval(before)


def orders(count):
    """Orders of a twentieth as many customers, each in a stream of its own."""
    rng = random.Random(count)
    for number in range(count):
        subject = f"customer-{UUID(int=1_000 + rng.randrange(count // 20))}"
        order = facts.Placed(
            customer_id=UUID(subject.removeprefix("customer-")),
            currency="GBP",
            day=rng.randrange(1_000),
            total_minor=100,
            lines=facts.lines(rng.randrange(100), 7),
        )
        id_ = UUID(int=number)
        at = "2026-01-01T00:00:00.000000Z"
        told = Metadata(subject, "staff:test", str(id_), "0" * 64, at, at)
        draft = Draft(id_.bytes, order.type, 2, subject, order.model_dump_json().encode(), pack(told))
        yield Append(f"order-{id_}", NO_STREAM, [draft])


@pytest.fixture
async def log(tmp_path):
    await SqliteStore(tmp_path / "events.db").close()
    db = open_durable(tmp_path / "events.db")
    writer, coming = Writer(db), orders(EVENTS)
    while some := list(islice(coming, _AT_ONCE)):
        writer.commit(some)
    db.close()
    log = facts.open_log(tmp_path)
    yield log
    await log.store.close()


@pytest.mark.timeout(3_000)
async def test_a_rebuild_under_load_is_noticed_by_nobody(log, home, tmp_path):
    async with opened(log, home) as desk:
        await desk.models.reached(facts.family, EVENTS, wait=1_500)
        seen, stop, sent = [0], asyncio.Event(), 0

        async def look():
            while not stop.is_set():
                began = time.monotonic()
                seen.append(await asyncio.to_thread(desk.gross))
                await asyncio.sleep(max(0.05, (time.monotonic() - began) * (1 / LOOKING - 1)))

        async def orders_arrive(group):
            # whether the one before is answered or not: who waits for answers sends less, the slower they come
            nonlocal sent
            began = asyncio.get_running_loop().time()
            while not stop.is_set():
                customer = 1_000 + random.randrange(EVENTS // 20)
                group.create_task(sell(log, customer=customer))
                sent += 1
                await asyncio.sleep(max(0, began + sent / A_SECOND - asyncio.get_running_loop().time()))

        async with asyncio.TaskGroup() as group:
            group.create_task(look())
            group.create_task(orders_arrive(group))
            began = asyncio.get_running_loop().time()
            entry = await desk.replays.start(facts.family, Wish(reason="under load"))
            async with asyncio.timeout(1_500):
                while desk.models.open(entry).position < max(EVENTS, await log.store.position() - NEAR):
                    await desk.models.progress(1.0)
            built = asyncio.get_running_loop().time() - began
            swapped = await desk.replays.swap(facts.family, entry, among=NEW)
            before = await desk.replays.entry(facts.family, None, OLD, "roll back")
            back = await desk.replays.swap(facts.family, before, among=OLD)
            stop.set()
        print(f"built in {built:.1f} s, {sent} orders meanwhile, swaps {1000 * swapped:.1f} and {1000 * back:.1f} ms")
        assert seen == sorted(seen)
        head = await log.store.position()
        await desk.models.reached(facts.family, head, wait=600)
        await desk.until_built(entry)
        expected = await folded(log, tmp_path)
        assert tables(desk.models.active(facts.family)) == expected
        assert tables(desk.models.open(entry)) == expected
        assert not LONG or max(swapped, back) <= AT_MOST
