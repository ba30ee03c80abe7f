import asyncio
import itertools
import random
from collections import Counter, defaultdict
from dataclasses import replace
from uuid import UUID, uuid4

import facts
import pytest
import sqlalchemy as sa

from shared.decider import handle
from shared.errors import TooFarBehind
from shared.projections import Derived, Document, Family, ReadModels, Subject, Sum, Text, Whole, f
from shared.projections.follower import Follower
from shared.projections.generation import Generation
from shared.projections.kit import Kit
from shared.projections.page import Poisoned
from shared.projections.progress import Batch
from shared.projections.sqlite_home import SqliteHome, SqlitePlace
from shared.verify import content, verify


@pytest.fixture
async def log(tmp_path):
    log = facts.open_log(tmp_path)
    yield log
    await log.store.close()


async def fill(log, seed=1, commands=400, customers=9):
    """Random orders, some cancelled; the orders that stand, by customer."""
    rng = random.Random(seed)
    standing = {}
    for _ in range(commands):
        if standing and rng.random() < 0.3:
            order = rng.choice(sorted(standing))
            await handle(log, facts.order, order, facts.Cancel(), context=facts.asked())
            del standing[order]
        else:
            order = UUID(int=rng.getrandbits(128))
            command = facts.Place(
                customer_id=UUID(int=rng.randrange(customers)),
                business_day=rng.randrange(60),
                lines=facts.lines(*(rng.randrange(100) for _ in range(rng.randint(1, 4)))),
                note=rng.choice([None, "n1", "n2"]),
            )
            await handle(log, facts.order, order, command, context=facts.asked())
            standing[order] = command
    return standing


async def history(log):
    return [event async for page in log.store.pages(0) for event in page.events]


def folded(log, folder, events):
    generation = Generation(facts.family, 1, SqlitePlace(folder / "read.db"), log.codec)
    generation.apply([Batch("", 0, events, events[-1].position, 0)])
    generation.refresh()
    return generation


async def test_sums_documents_and_derived_tables_equal_a_plain_count(log, tmp_path):
    standing = await fill(log)
    generation = folded(log, tmp_path, await history(log))
    days, gaps, customers = Counter(), Counter(), defaultdict(set)
    for command in standing.values():
        customer = f"customer-{command.customer_id}"
        days[customer, command.business_day] += 1
        customers[customer].add(command.business_day)
    for bought in customers.values():
        ordered = sorted(bought)
        gaps.update(b - a for a, b in itertools.pairwise(ordered))
    with generation.read() as db:
        read = db.execute(sa.select(facts.days.c.customer, facts.days.c.day, facts.days.c.orders)).all()
        assert {(row.customer, row.day): row.orders for row in read} == dict(days)
        total = sum(line.amount_minor for command in standing.values() for line in command.lines)
        assert db.execute(sa.select(sa.func.sum(facts.days.c.gross))).scalar_one() == total
        assert dict(db.execute(sa.select(facts.gaps.c.length, facts.gaps.c.count)).all()) == dict(gaps)
        assert db.execute(sa.select(sa.func.count()).select_from(facts.orders.c.stream.table)).scalar_one() == len(
            standing
        )


async def test_every_way_of_folding_gives_the_same_tables(log, home):
    await fill(log, commands=60)
    Kit(facts.family, await history(log), log.codec, home).prove(seed=3)


async def test_the_kit_notices_a_table_that_depends_on_the_order_of_topics(log, tmp_path):
    card = Document("last", facts.Card, key=Subject("customer"))

    @card.on(facts.Placed)
    def _(row, event, at):
        return replace(row, last_day=at.position)

    passed = Sum("first", key=(Subject("customer"), Whole("day")), adds=("n",))
    passed.on(facts.Placed, day=f.day, n=1)
    await fill(log, commands=30)
    events = await history(log)
    kit = Kit(Family("odd", version=1, tables=(card, passed)), events, log.codec, SqliteHome(tmp_path))
    kit.expected = kit.expected | {"last": (0, "")}
    with pytest.raises(AssertionError, match="last come out different"):
        kit.prove()


async def test_a_repeat_within_a_page_counts_once(log, tmp_path):
    await fill(log, commands=20)
    events = await history(log)
    twice = [*events[:9], *events[5:]]
    generation = folded(log, tmp_path, twice)
    assert content(generation).applied == len(events)


async def test_poison_parks_its_subject_and_nobody_else(log, tmp_path):
    good, bad = UUID(int=1), UUID(int=2)
    for customer, note in ((good, None), (bad, None), (bad, "poison"), (good, None), (bad, None)):
        command = facts.Place(customer_id=customer, business_day=1, lines=facts.lines(5), note=note)
        await handle(log, facts.order, uuid4(), command, context=facts.asked())
    events = await history(log)
    for size in (1, 2, 5):
        folder = tmp_path / str(size)
        generation = Generation(facts.family, 1, SqlitePlace(folder / "read.db"), log.codec)
        for start in range(0, 5, size):
            page = events[start : start + size]
            generation.apply([Batch("", 0, page, page[-1].position, 0)])
        generation.refresh()
        parked = generation.parked()
        assert [(row.position, row.category) for row in parked] == [(3, "apply"), (5, "held")]
        assert "this note cannot be read" in parked[0].reason
        with generation.read() as db:
            rows = dict(db.execute(sa.select(facts.cards.c.customer, facts.cards.c.orders)).all())
            assert rows == {f"customer-{good}": 2, f"customer-{bad}": 1}
            assert db.position == 5


async def test_poison_in_a_rebuild_stops_it_and_names_the_event(log, tmp_path):
    command = facts.Place(customer_id=UUID(int=1), business_day=1, lines=facts.lines(5), note="poison")
    await handle(log, facts.order, uuid4(), command, context=facts.asked())
    generation = Generation(facts.family, 1, SqlitePlace(tmp_path / "read.db"), log.codec, rebuild=True)
    events = await history(log)
    with pytest.raises(Poisoned, match=r"crm.test.Placed at 1"):
        generation.apply([Batch("", 0, events, 1, 0)])
    assert generation.position == 0


async def test_an_unreadable_event_is_parked_as_such(log, tmp_path):
    await fill(log, commands=5)
    events = await history(log)
    broken = [events[0]._replace(data=b'{"day":'), *events[1:]]
    generation = folded(log, tmp_path, broken)
    assert generation.parked()[0].category in {"unreadable", "apply"}
    assert generation.parked()[0].position == events[0].position


async def test_a_follower_keeps_up_and_readers_can_wait_for_their_own_write(log, tmp_path):
    models = ReadModels(SqliteHome(tmp_path / "read"), [facts.family], log.codec, log.store.id)
    following = asyncio.create_task(Follower(log.store, models.generations[0], models.moved).run())
    for _ in range(20):
        command = facts.Place(customer_id=UUID(int=1), business_day=1, lines=facts.lines(5))
        done = await handle(log, facts.order, uuid4(), command, context=facts.asked())
        await models.reached(facts.family, done.position, wait=60)
    with models.read(facts.family) as db:
        assert db.execute(sa.select(facts.cards.c.orders)).scalar_one() == 20
    with pytest.raises(TooFarBehind) as behind:
        await models.reached(facts.family, 999, wait=0.05)
    assert (behind.value.asked, behind.value.reached) == (999, 20)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    models.close()


async def test_a_follower_goes_on_after_the_disk_comes_back(log, tmp_path, monkeypatch):
    models = ReadModels(SqliteHome(tmp_path / "read"), [facts.family], log.codec, log.store.id)
    generation = models.generations[0]
    apply, failures = generation.apply, iter([OSError("disk away"), OSError("still away")])

    def fail_twice(batches):
        for failure in failures:
            raise failure
        apply(batches)

    monkeypatch.setattr(generation, "apply", fail_twice)
    follower = Follower(log.store, generation, models.moved)
    following = asyncio.create_task(follower.run())
    await fill(log, commands=3)
    await models.reached(facts.family, 3, wait=10)
    assert generation.parked_count() == 0
    assert follower.failing is None
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_verify_finds_a_row_that_no_fold_gives_and_an_event_that_was_changed(log, tmp_path):
    await fill(log, commands=40)
    models = ReadModels(SqliteHome(tmp_path / "read"), [facts.family], log.codec, log.store.id)
    events = await history(log)
    generation = models.generations[0]
    generation.apply([Batch("", 0, events, events[-1].position, 0)])
    generation.refresh()

    async def result():
        return [line async for line in verify(log.store, models, log.codec)][-1]["result"]

    sound = await result()
    assert sound["ok"]
    assert sound["chain_ok"]
    assert (sound["events"], sound["head"]) == (len(events), events[-1].position)
    assert all(entry["equal"] for entry in sound["projections"])
    with generation.place.writer.begin() as db:
        db.exec_driver_sql("UPDATE cards SET orders = orders + 1 WHERE rowid = 1")
    spoilt = await result()
    assert [entry["name"] for entry in spoilt["projections"] if not entry["equal"]] == ["cards"]
    log.store._db.execute("UPDATE events SET data = CAST(replace(data, '5', '6') AS BLOB) WHERE position = 7")
    assert (await result())["first_bad"] == 7


async def test_content_is_none_while_derived_tables_are_behind(log, tmp_path):
    await fill(log, commands=10)
    events = await history(log)
    generation = Generation(facts.family, 1, SqlitePlace(tmp_path / "read.db"), log.codec)
    generation.apply([Batch("", 0, events, events[-1].position, 0)])
    assert content(generation) is None
    assert generation.position == 0
    generation.refresh()
    assert content(generation).position == events[-1].position


def test_a_declaration_that_cannot_work_is_refused():
    days = Sum("d", key=(Subject("customer"), Text("currency")), adds=("n",))
    with pytest.raises(TypeError, match="gives no currency"):
        days.on(facts.Placed, n=1)
    with pytest.raises(TypeError, match="has no column m"):
        days.on(facts.Placed, currency=f.currency, m=1)
    with pytest.raises(TypeError, match="has no field price"):
        days.on(facts.Placed, currency=f.currency, n=f.price)
    with pytest.raises(TypeError, match="personal"):
        days.on(facts.Placed, currency=f.note, n=1)
    with pytest.raises(TypeError, match="needs each"):
        days.on(facts.Placed, currency=f.currency, n=f.lines.quantity)
    with pytest.raises(TypeError, match="not in the family"):
        Family("x", version=1, tables=(facts.gaps,))
    empty = Derived("e", of=(), by="customer", key=(), adds=())
    with pytest.raises(TypeError, match="says nowhere"):
        Family("x", version=1, tables=(empty,))


def test_a_fingerprint_changes_with_what_the_tables_hold():
    def made(amount, name="n"):
        table = Sum("d", key=(Subject("customer"),), adds=(name,))
        table.on(facts.Placed, **{name: amount})
        return Family("x", version=1, tables=(table,)).fingerprint()

    assert made(+f.total_minor) == made(f.total_minor)
    assert len({made(1), made(-f.total_minor), made(f.total_minor), made(1, "m")}) == 4
