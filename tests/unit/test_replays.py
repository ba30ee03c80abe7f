import asyncio
import random
from contextlib import asynccontextmanager, suppress
from itertools import count
from uuid import UUID, uuid4

import facts
import pytest
import sqlalchemy as sa

from shared import crashpoints
from shared.comparing import Found
from shared.decider import handle
from shared.errors import Refused
from shared.feeding import Feeding
from shared.projections import ReadModels
from shared.projections.catalog import Status, Wish
from shared.projections.follower import Follower
from shared.projections.generation import Generation
from shared.projections.kit import Crash
from shared.projections.progress import STORE, Batch
from shared.projections.sqlite_home import SqlitePlace
from shared.replays import Replays
from shared.verify import content

NEW = (Status.BUILDING,)
OLD = (Status.RETIRED,)
_places = count()


@pytest.fixture
async def log(tmp_path):
    log = facts.open_log(tmp_path)
    yield log
    await log.store.close()


class Desk:
    """Read models that are fed, and an operator's hand on them."""

    def __init__(self, log, home):
        self.log = log
        self.models = ReadModels(home, [facts.family], log.codec, log.store.id)
        self.feeding = Feeding(self.models, [facts.family.name], self.follower)
        self.replays = Replays(log.store, self.models, self.feeding)

    def follower(self, generation, entry):
        wish = entry.wish
        return Follower(self.log.store, generation, self.models.moved, after=wish.after, until=wish.until)

    async def build(self, **wish):
        entry = await self.replays.start(facts.family, Wish(**wish))
        await self.until_built(entry)
        return entry

    async def until_built(self, entry):
        target = entry.wish.until or await self.log.store.position()
        generation = self.models.open(entry)
        async with asyncio.timeout(30):
            while generation.position < target:
                await self.models.progress(0.05)

    async def compared(self, entry, limit=10):
        async for line in self.replays.compare(facts.family, entry, limit):
            if isinstance(line, Found):
                return line
        raise AssertionError("no result")

    async def status(self, entry):
        return (await self.replays.again(entry)).status

    async def becomes(self, entry, status):
        async with asyncio.timeout(30):
            while await self.status(entry) != status:
                await self.models.progress(0.01)

    def gross(self):
        with self.models.read(facts.family) as db:
            return db.execute(sa.select(sa.func.coalesce(sa.func.sum(facts.days.c.gross), 0))).scalar_one()


@asynccontextmanager
async def opened(log, home):
    desk = Desk(log, home)
    running = asyncio.create_task(desk.feeding.run())
    try:
        yield desk
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError, Crash):
            await running
        desk.models.close()


@pytest.fixture
async def desk(log, home):
    async with opened(log, home) as desk:
        yield desk


async def sell(log, times=1, note=None, customer=None):
    for _ in range(times):
        lines = facts.lines(*(random.randrange(1, 100) for _ in range(2)))
        customer_id = UUID(int=random.randrange(5) if customer is None else customer)
        command = facts.Place(customer_id=customer_id, business_day=random.randrange(60), lines=lines, note=note)
        await handle(log, facts.order, uuid4(), command, context=facts.asked())


async def folded(log, folder, until=None, after=0):
    """What an independent fold of the log gives."""
    events = [event async for page in log.store.pages(after) for event in page.events]
    events = [event for event in events if until is None or event.position <= until]
    generation = Generation(facts.family, 1, SqlitePlace(folder / f"fold{next(_places)}.db"), log.codec)
    generation.apply([Batch(*STORE, events, events[-1].position, 0)])
    generation.refresh()
    found = content(generation)
    generation.close()
    return found.tables


def tables(generation):
    return content(generation).tables


async def test_a_rebuild_is_compared_swapped_and_rolled_back_while_orders_come_in(desk, log, tmp_path):
    await sell(log, 30)
    seen, stop = [0], asyncio.Event()

    async def read():
        while not stop.is_set():
            seen.append(await asyncio.to_thread(desk.gross))

    async def write():
        while not stop.is_set():
            await sell(log)
            await asyncio.sleep(0.003)

    async with asyncio.TaskGroup() as group:
        group.create_task(read())
        group.create_task(write())
        entry = await desk.build(reason="a try")
        found = await desk.compared(entry)
        assert found.equal
        assert found.tables[0].rows[0] > 0
        await desk.replays.swap(facts.family, entry, among=NEW)
        assert desk.models.active(facts.family).number == entry.generation
        before = await desk.replays.entry(facts.family, None, OLD, "roll back")
        await desk.replays.swap(facts.family, before, among=OLD)
        assert desk.models.active(facts.family).number == before.generation != entry.generation
        stop.set()
    assert seen == sorted(seen)
    assert len(set(seen)) > 2
    await desk.models.reached(facts.family, await log.store.position(), wait=60)
    await desk.until_built(entry)
    expected = await folded(log, tmp_path)
    assert tables(desk.models.active(facts.family)) == expected
    assert tables(desk.models.open(entry)) == expected


async def test_a_difference_is_found_by_its_key(desk, log):
    await sell(log, 5, customer=3)
    entry = await desk.build()
    generation = desk.models.open(entry)
    with generation.place.writer.begin() as db:
        db.execute(sa.text("UPDATE cards SET orders = orders + 1"))
        db.execute(sa.text("DELETE FROM customer_days__sums"))
    found = await desk.compared(entry)
    assert not found.equal
    by_table = {each.table: each.differences[0] for each in found.tables if each.differences}
    card = by_table["cards"]
    assert card.key == (f"customer-{UUID(int=3)}",)
    assert card.candidate["orders"] == card.active["orders"] + 1 == 6
    assert by_table["customer_days"].candidate is None


async def test_poison_stops_a_rebuild_and_leaves_what_is_read_alone(desk, log):
    await sell(log, 3)
    await sell(log, 1, note="poison")
    await sell(log, 3)
    await desk.models.reached(facts.family, 7, wait=60)
    before = tables(desk.models.active(facts.family))
    entry = await desk.replays.start(facts.family, Wish())
    await desk.becomes(entry, Status.FAILED)
    stopped = await desk.replays.again(entry)
    assert stopped.error.startswith("crm.test.Placed at 4: ")
    assert tables(desk.models.active(facts.family)) == before
    assert desk.models.active(facts.family).parked_count() >= 1
    with pytest.raises(Refused):
        await desk.replays.swap(facts.family, stopped, among=NEW)


async def test_a_part_of_history_is_what_a_fold_of_it_gives_and_is_never_read(desk, log, tmp_path):
    await sell(log, 40)
    until = await desk.build(until=23)
    between = await desk.build(after=10, until=23)
    await sell(log, 5)
    await desk.models.reached(facts.family, 45, wait=60)
    assert tables(desk.models.open(until)) == await folded(log, tmp_path, until=23)
    assert tables(desk.models.open(between)) == await folded(log, tmp_path, until=23, after=10)
    for entry in (until, between):
        with pytest.raises(Refused, match="part of history"):
            await desk.replays.swap(facts.family, entry, among=tuple(Status))
        with pytest.raises(Refused, match="part of history"):
            await desk.compared(entry)


@pytest.mark.parametrize(
    ("wish", "field"), [({"until": 99}, "until"), ({"after": 99}, "after"), ({"after": 3, "until": 2}, "until")]
)
async def test_a_part_that_is_not_there_is_refused(desk, log, wish, field):
    await sell(log, 5)
    with pytest.raises(Refused) as refused:
        await desk.replays.start(facts.family, Wish(**wish))
    assert refused.value.field == field


async def test_a_paused_generation_stands_still_and_goes_on(desk, log, tmp_path):
    await sell(log, 10)
    entry = await desk.build()
    await desk.replays.pause(entry)
    await sell(log, 10)
    await desk.models.reached(facts.family, 20, wait=60)
    assert desk.models.open(entry).position == 10
    assert await desk.status(entry) == Status.PAUSED
    await desk.replays.resume(entry)
    await desk.until_built(entry)
    assert tables(desk.models.open(entry)) == await folded(log, tmp_path)


async def test_what_is_dropped_is_gone_and_what_is_read_cannot_be(desk, log, home):
    await sell(log, 3)
    entry = await desk.build()
    await desk.replays.drop(entry)
    assert await desk.status(entry) == Status.DROPPED
    place = home.place(entry.place)
    assert sa.inspect(place.writer).get_table_names(schema=place.name if place.shared else None) == []
    (active,) = desk.models.entries()
    with pytest.raises(Refused, match="is active"):
        await desk.replays.drop(active)
    again = await desk.build()
    assert again.generation > entry.generation


async def test_a_rebuild_of_nothing_and_a_second_one_beside_it(desk, log, tmp_path):
    first, second = [await desk.replays.start(facts.family, Wish()) for _ in range(2)]
    await sell(log, 1)
    for entry in (first, second):
        await desk.until_built(entry)
    await desk.replays.swap(facts.family, second, among=NEW)
    assert tables(desk.models.active(facts.family)) == tables(desk.models.open(first)) == await folded(log, tmp_path)


def test_only_projections_can_be_replayed(tmp_path, log, home):
    desk = Desk(log, home)
    assert desk.replays.family("cards") is facts.family
    with pytest.raises(Refused, match="only projections can be replayed"):
        desk.replays.family("closer")
    desk.models.close()


async def test_the_rows_of_one_customer_are_made_anew_and_nobody_elses(desk, log, tmp_path):
    await sell(log, 30)
    await desk.models.reached(facts.family, 30, wait=60)
    active = desk.models.active(facts.family)
    with active.place.writer.begin() as db:
        db.execute(sa.text("UPDATE cards SET orders = orders + 1"))
        db.execute(sa.text("UPDATE customer_days__sums SET gross = gross + 1"))
    expected = await folded(log, tmp_path)
    assert tables(active) != expected
    numbers = range(5)
    made = [await desk.replays.refold(facts.family, f"customer-{UUID(int=number)}") for number in numbers]
    assert sum(made) == 30
    assert tables(active) == expected
    await sell(log, 1)
    await desk.models.reached(facts.family, 31, wait=60)
    assert tables(active) == await folded(log, tmp_path)


async def test_a_customer_is_made_anew_while_orders_come_in(desk, log, tmp_path):
    async with asyncio.TaskGroup() as group:
        group.create_task(sell(log, 60))
        for _ in range(10):
            await desk.replays.refold(facts.family, f"customer-{UUID(int=1)}")
    await desk.models.reached(facts.family, 60, wait=60)
    assert tables(desk.models.active(facts.family)) == await folded(log, tmp_path)


async def test_a_customer_with_parked_events_is_not_made_anew(desk, log):
    await sell(log, 1, note="poison", customer=1)
    await desk.models.reached(facts.family, 1, wait=60)
    with pytest.raises(Refused, match="are parked"):
        await desk.replays.refold(facts.family, f"customer-{UUID(int=1)}")


class Trial:
    """Builds, swaps and goes back, with a crash at a random step of every life of the process."""

    def __init__(self, log, home, rng):
        self.log, self.home, self.rng = log, home, rng
        self.crashed = asyncio.Event()
        self.crashes = 0
        self.loop = asyncio.get_running_loop()

    def arm(self):
        self.crashed.clear()
        left = self.rng.randrange(40)

        def passing(name):
            nonlocal left
            if not name.startswith(("page.", "replay.", "refresh.", "swap.")):
                return
            left -= 1
            if left <= 0 and not self.crashed.is_set():
                self.crashes += 1
                self.loop.call_soon_threadsafe(self.crashed.set)
                left = 1 << 30
                raise Crash

        crashpoints.arm(passing)

    async def live(self, steps):
        """One life of the process: it goes on where the last one ended. Whether all steps are done."""
        async with opened(self.log, self.home) as desk:
            doing = asyncio.create_task(self.act(desk, steps))
            dying = asyncio.create_task(self.crashed.wait())
            await asyncio.wait({doing, dying}, return_when=asyncio.FIRST_COMPLETED)
            for task in (doing, dying):
                task.cancel()
            ended = (await asyncio.gather(doing, dying, return_exceptions=True))[0]
            if isinstance(ended, Exception) and not self.crashed.is_set():
                raise ended
        return not steps

    async def act(self, desk, steps):
        seen = 0
        while steps:
            await sell(self.log, 2)
            now = await asyncio.to_thread(desk.gross)
            assert now >= seen
            seen = now
            built = [entry for entry in desk.models.entries() if entry.status == Status.BUILDING]
            retired = [entry for entry in desk.models.entries() if entry.status == Status.RETIRED]
            match steps[0]:
                case "swap" if built:
                    await desk.until_built(built[-1])
                    await desk.replays.swap(facts.family, built[-1], among=NEW)
                case "roll back" if retired:
                    await desk.replays.swap(facts.family, retired[-1], among=OLD)
                case "compare" if built:
                    assert (await desk.compared(built[-1])).equal
                case "start":
                    await desk.replays.start(facts.family, Wish())
            steps.pop(0)


async def prove(log, home, folder, seed):
    rng = random.Random(seed)
    trial = Trial(log, home, rng)
    steps = ["start", "compare", "swap", "roll back", "start", "swap"]
    await sell(log, rng.randrange(60))
    try:
        for _ in range(rng.randrange(2, 8)):
            trial.arm()
            if await trial.live(steps):
                break
    finally:
        crashpoints.arm(None)
    trial.crashed.clear()
    assert await trial.live(steps)
    async with opened(log, home) as desk:
        for entry in desk.models.entries():
            await desk.until_built(entry)
            assert tables(desk.models.open(entry)) == await folded(log, folder), (seed, entry)
    return trial.crashes


@pytest.mark.parametrize("seed", range(3))
async def test_crashes_at_any_step_leave_every_generation_exact(log, home, tmp_path, seed):
    await prove(log, home, tmp_path, seed)


@pytest.mark.long
async def test_500_trials_end_exact(home_of, tmp_path):
    crashes = 0
    for seed in range(100, 600):
        folder = tmp_path / str(seed)
        folder.mkdir()
        log = facts.open_log(folder)
        crashes += await prove(log, home_of(folder), folder, seed)
        await log.store.close()
    assert crashes > 500
