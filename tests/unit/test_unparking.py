"""Parked events come back once their cause is mended, in order and counted right, or are given up with a reason."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import facts
import pytest
import sqlalchemy as sa

from shared import crashpoints
from shared.decider import handle
from shared.errors import Refused
from shared.projections.generation import Generation
from shared.projections.kit import Crash
from shared.projections.parking import HELD, name_of
from shared.projections.postgres_home import PostgresHome
from shared.projections.progress import Batch, Mark
from shared.projections.sqlite_home import SqliteHome, SqlitePlace
from shared.verify import content

GOOD, BAD = UUID(int=1), UUID(int=2)
SUBJECT = f"customer-{BAD}"
HISTORY = ((GOOD, None), (BAD, "n1"), (BAD, "poison"), (GOOD, None), (BAD, "n2"), (BAD, "worse"), (BAD, "n3"))
RECORD = {"key": SUBJECT.encode(), "reason": "no header", "payload": b"{"}


@pytest.fixture
async def log(tmp_path):
    log = facts.open_log(tmp_path)
    yield log
    await log.store.close()


@pytest.fixture
async def events(log):
    for day, (customer, note) in enumerate(HISTORY):
        command = facts.Place(customer_id=customer, business_day=day * day, lines=facts.lines(5, day), note=note)
        await handle(log, facts.order, uuid4(), command, context=facts.asked())
    return [event async for page in log.store.pages(0) for event in page.events]


@pytest.fixture
def poisons(monkeypatch):
    """Notes at which the card of a customer breaks; a test mends it by taking one out."""
    notes = {"poison", "worse"}
    card = facts.cards.handlers[facts.Placed.type]

    def placed(row, event, at):
        if event.note in notes:
            raise ValueError(f"{event.note} cannot be read")
        return card(row, event.model_copy(update={"note": "mended"}) if event.note == "poison" else event, at)

    monkeypatch.setitem(facts.cards.handlers, facts.Placed.type, placed)
    return notes


def opened(log, place):
    return Generation(facts.family, 1, place, log.codec)


def fed(log, place, events, topic="", partition=0):
    generation = opened(log, place)
    generation.begin([("", 0)])
    for event in events:
        generation.apply([Batch(topic, partition, [event], event.position, event.position)])
    generation.refresh()
    return generation


def state(generation):
    found = content(generation)
    return found.tables, found.applied, found.parked


def waiting(generation):
    return [(row.position, row.category, row.attempts) for row in generation.unparking.told(SUBJECT)]


def revision_of(generation):
    with generation.read() as db:
        return db.revision


def test_what_is_mended_comes_back_as_if_it_had_never_been_parked(log, events, poisons, home, tmp_path):
    generation = fed(log, home.place("retried"), events)
    assert waiting(generation) == [(3, "apply", 1), (5, HELD, 0), (6, HELD, 0), (7, HELD, 0)]
    assert state(generation)[1:] == (3, 4)
    revision = revision_of(generation)
    poisons.clear()
    assert generation.unparking.retry(SUBJECT) == 4
    assert state(generation) == state(fed(log, SqlitePlace(tmp_path / "fresh.db"), events))
    assert state(generation)[1:] == (7, 0)
    assert revision_of(generation) != revision
    with generation.read() as db:
        notes = db.execute(sa.select(facts.cards.c.notes).where(facts.cards.c.customer == SUBJECT)).scalar_one()
        assert list(notes) == ["n2", "worse", "n3"]
        assert dict(db.execute(sa.select(facts.gaps.c.length, facts.gaps.c.count)).all()) == {3: 1, 9: 2, 11: 1, 12: 1}
    assert generation.unparking.retry(SUBJECT) == 0


def test_the_first_that_still_fails_stays_with_what_is_behind_it(log, events, poisons, tmp_path):
    generation = fed(log, SqlitePlace(tmp_path / "read.db"), events)
    assert generation.unparking.retry(SUBJECT) == 0
    assert waiting(generation)[0] == (3, "apply", 2)
    poisons.remove("poison")
    assert generation.unparking.retry(SUBJECT) == 2
    assert waiting(generation) == [(6, "apply", 1), (7, HELD, 0)]
    assert generation.unparking.told(SUBJECT)[0].reason == "ValueError: [personal] cannot be read"
    assert state(generation) == state(fed(log, SqlitePlace(tmp_path / "fresh.db"), events))


def test_what_comes_meanwhile_waits_until_nothing_of_its_subject_is_parked(log, events, poisons, tmp_path):
    generation = fed(log, SqlitePlace(tmp_path / "read.db"), events[:4])
    poisons.clear()
    generation.apply([Batch("", 0, events[4:6], 6, 6)])
    assert waiting(generation) == [(3, "apply", 1), (5, HELD, 0), (6, HELD, 0)]
    generation.unparking.retry(SUBJECT)
    generation.apply([Batch("", 0, events[6:], 7, 7)])
    generation.refresh()
    assert state(generation) == state(fed(log, SqlitePlace(tmp_path / "fresh.db"), events))


def test_a_crash_within_a_retry_leaves_all_as_it_was(log, events, poisons, tmp_path):
    generation = fed(log, SqlitePlace(tmp_path / "read.db"), events)
    before, held = state(generation), waiting(generation)
    poisons.clear()

    def crash(name):
        if name == "retry.refreshed":
            raise Crash

    crashpoints.arm(crash)
    try:
        with pytest.raises(Crash):
            generation.unparking.retry(SUBJECT)
    finally:
        crashpoints.arm(None)
    assert (state(generation), waiting(generation)) == (before, held)
    assert generation.unparking.retry(SUBJECT) == 4


def test_what_was_parked_before_a_hand_over_is_counted_after_it(log, events, poisons, tmp_path):
    generation = fed(log, SqlitePlace(tmp_path / "read.db"), events)
    generation.hand_over([Mark("crm.test.v1", number, 7, 9, 7) for number in range(3)])
    poisons.clear()
    generation.unparking.retry(SUBJECT)
    assert state(generation) == state(fed(log, SqlitePlace(tmp_path / "fresh.db"), events))


def test_a_skipped_event_is_gone_and_what_is_behind_it_waits_for_a_retry(log, events, poisons, tmp_path):
    generation = fed(log, SqlitePlace(tmp_path / "read.db"), events)
    for _twice in range(2):
        assert generation.unparking.skip("3", actor="staff:ana", reason="a test order") == SUBJECT
    assert waiting(generation) == [(5, HELD, 0), (6, HELD, 0), (7, HELD, 0)]
    assert generation.unparking.retry(SUBJECT) == 1
    generation.unparking.skip("6", actor="staff:ana", reason="so is this")
    assert generation.unparking.retry(SUBJECT) == 1
    without = [event for event in events if event.position not in {3, 6}]
    assert state(generation) == state(fed(log, SqlitePlace(tmp_path / "fresh.db"), without))
    assert content(generation).skipped == ("3", "6")


def test_only_what_was_tried_is_skipped_and_only_what_is_there(log, events, poisons, tmp_path):
    skip = fed(log, SqlitePlace(tmp_path / "read.db"), events).unparking.skip
    for name, said, kind in (
        ("5", "5 waits behind another event", "conflict"),
        ("2", "2 is not parked in shop", "missing"),
        ("crm.test.v1:0:4", "crm.test.v1:0:4 is not parked in shop", "missing"),
        ("three", "must be a position, or topic:partition:offset", "invalid"),
        ("9" * 30, "must be a position, or topic:partition:offset", "invalid"),
    ):
        with pytest.raises(Refused, match=re.escape(said)) as refused:
            skip(name, actor="staff:ana", reason="why not")
        assert (refused.value.field, refused.value.kind) == ("position", kind)


def test_a_record_that_is_no_event_can_only_be_skipped_and_stops_its_subject_until_then(log, events, tmp_path, home):
    generation = opened(log, home.place("records"))
    for partition in (4, 5):
        generation.park_unreadable("crm.test.v1", partition, 17, **RECORD)
    generation.park_unreadable("crm.test.v1", 6, 0, key=b"\0\xff", reason="a \0 in it", payload=None)
    generation.apply([Batch("crm.test.v1", 2, events[:2], 2, 2)])
    names = ["crm.test.v1:4:17", "crm.test.v1:5:17", "2"]
    assert [name_of(row) for row in generation.unparking.told(SUBJECT)] == names
    assert generation.unparking.retry(SUBJECT) == 0
    told = generation.unparking.told(SUBJECT)[0]
    assert (told.attempts, told.reason) == (
        2,
        "UnreadableEvent: there is no event in this record; it can only be skipped",
    )
    assert generation.unparking.skip(names[0], actor="staff:ana", reason="noise") == SUBJECT
    assert [name_of(row) for row in generation.unparking.told(SUBJECT)] == names[1:]
    generation.unparking.skip(names[1], actor="staff:ana", reason="noise")
    assert generation.unparking.retry(SUBJECT) == 1
    generation.refresh()
    assert state(generation) == (state(fed(log, SqlitePlace(tmp_path / "fresh.db"), events[:2]))[0], 2, 1)


def test_an_event_that_arrived_in_pieces_is_not_applied_as_something_else(log, events, tmp_path):
    broken = events[1]._replace(stream="", id=b"", metadata=b"")
    generation = fed(log, SqlitePlace(tmp_path / "read.db"), [broken])
    assert generation.unparking.told(SUBJECT)[0].category == "unreadable"
    assert generation.unparking.retry(SUBJECT) == 0
    assert "can only be skipped" in generation.unparking.told(SUBJECT)[0].reason


def test_whatever_an_event_holds_it_is_parked(log, events, tmp_path):
    for number, data in enumerate(
        (b"", b"[]", b'{"note": 5}', b'{"note": "enc.v1.!"}', b'{"note": "\\ud800"}', b"[" * 5_000)
    ):
        generation = fed(log, SqlitePlace(tmp_path / f"{number}.db"), [events[2]._replace(data=data)])
        assert [row.category for row in generation.unparking.told()] in (["unreadable"], ["apply"])


def test_a_retry_waits_for_the_page_of_another_process_and_then_takes_what_it_parked(
    log, events, poisons, postgres_engine, tmp_path
):
    place = PostgresHome(postgres_engine, prefix="between_").place("shop")
    fed(log, place, events[:4])
    poisons.clear()
    page, other = opened(log, place), opened(log, place)
    folded, go_on = threading.Event(), threading.Event()

    def halt(name):
        if name == "page.folded":
            folded.set()
            go_on.wait(20)

    crashpoints.arm(halt)
    try:
        with ThreadPoolExecutor() as threads:
            paging = threads.submit(page.apply, [Batch("", 0, events[4:6], 6, 6)])
            assert folded.wait(20)
            retrying = threads.submit(other.unparking.retry, SUBJECT)
            while not waits(postgres_engine):
                assert not retrying.done()
            go_on.set()
            paging.result(20)
            assert retrying.result(20) == 3
    finally:
        crashpoints.arm(None)
    assert state(other) == state(fed(log, SqlitePlace(tmp_path / "fresh.db"), events[:6]))


def waits(engine):
    with engine.connect() as db:
        return db.execute(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one()


def test_how_long_something_has_been_parked_is_known(log, events, poisons, tmp_path):
    generation = fed(log, SqlitePlace(tmp_path / "read.db"), events)
    first = generation.unparking.told()[0].first_at
    assert generation.unparking.since_before(first) == 0
    assert generation.unparking.since_before("9999") == 4


def test_the_home_of_a_folder_made_before_there_were_skips_takes_them(log, events, poisons, tmp_path):
    place = SqliteHome(tmp_path / "old").place("shop")
    fed(log, place, events)
    with place.writer.begin() as db:
        db.exec_driver_sql("DROP TABLE skipped")
    generation = opened(log, place)
    assert generation.unparking.skip("3", actor="staff:ana", reason="a test order") == SUBJECT
