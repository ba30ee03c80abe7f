import itertools
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import facts
import pytest
import sqlalchemy as sa

from shared.decider import handle
from shared.envelope import Draft, Metadata, Recorded, pack
from shared.events import Event
from shared.projections import Derived, Document, Family, Stream, Subject, Sum, Text, Whole, f, shares
from shared.projections.generation import Generation
from shared.projections.identity import Survivor, root
from shared.projections.kit import Kit
from shared.projections.progress import Batch
from shared.projections.sqlite_home import SqlitePlace
from shared.verify import content

AT = "2026-01-01T00:00:00Z"


class Absorbed(Event, type="crm.people.Absorbed", subject="customer_id"):
    customer_id: UUID
    survivor_id: UUID


class Released(Event, type="crm.people.Released", subject="customer_id"):
    customer_id: UUID


class Forgotten(Event, type="crm.people.Forgotten", subject="customer_id", erases=True):
    customer_id: UUID


identity = Document("identity", Survivor, key=Subject("customer"), indexes=("survivor",))


@identity.on(Absorbed)
def _(_row: Survivor, event: Absorbed, at: Recorded) -> Survivor:
    return Survivor(f"customer-{event.survivor_id}", at.position)


@identity.on(Released)
def _(_row: Survivor, _event: Released, at: Recorded) -> Survivor:
    return Survivor("", at.position)


by_day = Sum("by_day", key=(Whole("day"),), adds=("orders",))
by_day.on(facts.Placed, day=f.day, orders=+1)
by_day.on(facts.Cancelled, day=f.day, orders=-1)


@dataclass(frozen=True)
class OrderRow:
    customer: str = ""


orders = Document("orders", OrderRow, key=Stream("stream"), about="customer")


@orders.on(facts.Placed)
def _(row: OrderRow, _event: facts.Placed, at: Recorded) -> OrderRow:
    return replace(row, customer=at.subject)


people = Derived(
    "people", of=(facts.days,), by="customer", through=identity, key=(Text("who"), Whole("days")), adds=("orders",)
)


@people.group
def _(who, rows):
    bought = Counter()
    for row in rows[facts.days]:
        bought[row.day] += row.orders
    standing = {day: orders for day, orders in bought.items() if orders > 0}
    return [(who, len(standing), sum(standing.values()))] if standing else []


sold = Derived("sold", of=(facts.codes,), by="code", key=(Whole("buyers"),), adds=("codes",))


@sold.group
def _(_code, rows):
    return [(len(rows[facts.codes]), 1)]


family = Family(
    "people",
    version=1,
    tables=(facts.days, facts.codes, facts.cards, orders, identity, by_day, people, sold),
    forgets=Forgotten,
)


@pytest.fixture
async def log(tmp_path):
    log = facts.open_log(tmp_path)
    yield log
    await log.store.close()


async def say(log, event):
    stream = event.subject("")
    head = (await log.store.load(stream)).head
    id_ = uuid4()
    await log.keyring.ready({stream}, make=True)
    metadata = Metadata(stream, "cli:test", str(id_), "", AT, AT)
    draft = Draft(id_.bytes, event.type, 1, stream, log.codec.encode(event, id_, stream), pack(metadata))
    await log.store.append(stream, head, [draft])


async def order(log, customer, day, note=None):
    command = facts.Place(customer_id=customer, business_day=day, lines=facts.lines(5, 7), note=note)
    id_ = uuid4()
    await handle(log, facts.order, id_, command, context=facts.asked())
    return id_


async def happen(log, seed, steps=120):
    """Random orders, cancellations, merges, circles among them, releases and erasures; whom it left erased."""
    rng = random.Random(seed)
    customers = [UUID(int=number) for number in range(1, 13)]
    placed, erased = [], set()
    for _ in range(steps):
        which = rng.random()
        customer = rng.choice(customers)
        if which < 0.6:
            placed.append(await order(log, customer, rng.randrange(12), rng.choice([None, "a note"])))
        elif which < 0.7 and placed:
            await handle(log, facts.order, rng.choice(placed), facts.Cancel(), context=facts.asked())
        elif which < 0.85:
            survivor = rng.choice([each for each in customers if each != customer])
            await say(log, Absorbed(customer_id=customer, survivor_id=survivor))
        elif which < 0.95:
            await say(log, Released(customer_id=customer))
        else:
            await say(log, Forgotten(customer_id=customer))
            erased.add(f"customer-{customer}")
    return erased


async def history(log):
    return [event async for page in log.store.pages(0) for event in page.events]


def folded(log, folder, events, size=None):
    generation = Generation(family, 1, SqlitePlace(folder / "read.db"), log.codec)
    size = size or len(events) or 1
    for start in range(0, len(events), size):
        page = events[start : start + size]
        generation.apply([Batch("", 0, page, page[-1].position, 0)])
        generation.refresh()
    return generation


def counted(log, events, erased):
    """The same as `people`, counted without the engine."""
    survivors, bought = {}, defaultdict(Counter)
    for event in events:
        match log.codec.decode(event):
            case Absorbed() as said:
                survivors[event.subject] = Survivor(f"customer-{said.survivor_id}", event.position)
            case Released():
                survivors.pop(event.subject, None)
            case facts.Placed() as said:
                bought[event.subject][said.day] += 1
            case facts.Cancelled() as said:
                bought[event.subject][said.day] -= 1
    survivors = {who: survivor for who, survivor in survivors.items() if who not in erased}
    together = defaultdict(Counter)
    for who in bought.keys() - erased:
        together[root(who, survivors)].update(bought[who])
    return {
        who: (sum(count > 0 for count in days.values()), sum(days.values()))
        for who, days in together.items()
        if any(count > 0 for count in days.values())
    }


def read(generation):
    with generation.read() as db:
        rows = db.execute(sa.select(people.c.who, people.c.days, people.c.orders))
        return {row.who: (row.days, row.orders) for row in rows}


@pytest.mark.parametrize("seed", range(4))
async def test_those_who_were_merged_count_together_and_the_erased_not_at_all(log, tmp_path, seed):
    erased = await happen(log, seed)
    events = await history(log)
    expected = counted(log, events, erased)
    for size in (1, 9, len(events)):
        assert read(folded(log, tmp_path / str(size), events, size)) == expected


@pytest.mark.parametrize("seed", range(3))
async def test_processes_that_share_a_replay_come_to_the_same(log, tmp_path, seed):
    erased = await happen(log, seed)
    events = await history(log)
    by_pages = folded(log, tmp_path / "paged", events)
    paged = content(by_pages)
    half = len(events) // 2
    assert family.module is not None
    for processes, begun in ((2, 0), (3, 0), (2, half)):
        generation = folded(log, tmp_path / f"{processes} from {begun}", events[:begun])
        told = []
        generation.replay(log.store.scan(begun, len(events)), processes=processes, told=told.append)
        generation.refresh()
        assert content(generation) == paged
        assert read(generation) == counted(log, events, erased)
        with generation.read() as db, by_pages.read() as other:
            assert db.applied == other.applied
        assert told == sorted(told)
        assert told[-1] == len(events)


async def test_nobody_reads_derived_tables_that_lack_what_another_process_has_built(log, tmp_path, monkeypatch):
    monkeypatch.setattr(shares, "_OWN", 1)  # the other process has all there is
    await order(log, UUID(int=1), 1)
    events = await history(log)
    generation = folded(log, tmp_path, [])
    generation.replay(log.store.scan(0, len(events)), processes=2)
    assert generation.position == 0
    generation.refresh()
    assert generation.position == len(events)
    assert content(generation) == content(folded(log, tmp_path / "paged", events))


async def test_every_way_of_folding_merges_and_erasures_gives_the_same_tables(log, kit_home):
    await happen(log, seed=7, steps=90)
    Kit(family, await history(log), log.codec, kit_home).prove(seed=5)


async def test_a_merge_taken_back_leaves_what_was_before(log, tmp_path):
    first, second, third = (UUID(int=number) for number in (1, 2, 3))
    for customer, day in ((first, 1), (second, 1), (second, 4), (third, 9)):
        await order(log, customer, day)
    before = read(folded(log, tmp_path / "before", await history(log)))
    await say(log, Absorbed(customer_id=first, survivor_id=second))
    await say(log, Absorbed(customer_id=second, survivor_id=third))
    merged = read(folded(log, tmp_path / "merged", await history(log), size=1))
    assert merged == {f"customer-{third}": (3, 4)}
    await say(log, Released(customer_id=second))
    await say(log, Released(customer_id=first))
    assert read(folded(log, tmp_path / "after", await history(log), size=1)) == before


async def test_what_is_not_kept_by_person_survives_an_erasure(log, tmp_path):
    erased, other = UUID(int=1), UUID(int=2)
    await order(log, erased, 1)
    await say(log, Forgotten(customer_id=erased))
    await order(log, erased, 2)
    await order(log, other, 2)
    with folded(log, tmp_path, await history(log)).read() as db:
        assert dict(db.execute(sa.select(by_day.c.day, by_day.c.orders)).all()) == {1: 1, 2: 2}
        for table, column in ((facts.days, "customer"), (facts.cards, "customer"), (orders, "customer")):
            assert db.execute(sa.select(table.c.columns[column]).distinct()).scalars().all() == [f"customer-{other}"]


async def test_an_erasure_does_not_wait_behind_what_is_parked(log, tmp_path):
    customer = UUID(int=1)
    await order(log, customer, 1, note="poison")
    await order(log, customer, 2)
    await say(log, Forgotten(customer_id=customer))
    await order(log, customer, 3)
    for size in (1, 4):
        generation = folded(log, tmp_path / str(size), await history(log), size)
        assert not generation.parked()
        assert not read(generation)


def test_a_circle_of_merges_is_cut_where_it_was_closed():
    circle = {"a": Survivor("b", 3), "b": Survivor("c", 9), "c": Survivor("a", 5), "d": Survivor("a", 1)}
    assert {each: root(each, circle) for each in "abcd"} == dict.fromkeys("abcd", "b")


def test_a_family_forgets_only_by_an_event_that_erases():
    with pytest.raises(TypeError, match="Absorbed erases nobody"):
        Family("x", version=1, tables=(facts.days,), forgets=Absorbed)


def test_a_document_is_about_one_of_its_fields():
    with pytest.raises(TypeError, match="orders has no field buyer"):
        Document("orders", OrderRow, key=Stream("stream"), about="buyer")


def test_the_fingerprint_knows_the_identity_and_what_is_forgotten():
    plain = Derived("people", of=(facts.days,), by="customer", key=people.key, adds=people.adds)
    plain.function = people.function
    prints = {
        Family("people", version=1, tables=tables, forgets=forgets).fingerprint()
        for tables, forgets in itertools.product(
            ((facts.days, identity, plain), (facts.days, identity, people)), (None, Forgotten)
        )
    }
    assert len(prints) == 4
