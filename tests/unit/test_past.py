"""Looking back: every view of the past equals a fold of what had happened, or was known, by then."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from histories import FIRST, Histories
from lives import live

from services.analytics import evidence, purchase_days
from services.analytics.identity import merges
from services.analytics.kept import Kept
from services.analytics.known import known
from services.analytics.profile import profiles
from services.analytics.scope import Question
from services.contacts import changes_page, directory, history, identity, lookup
from services.contacts.events import CustomerRegistered, CustomerRenamed
from services.interactions import timeline
from services.interactions.timeline import Between
from services.portal import earlier, orders
from shared import sqlite_store
from shared.clock import business_day, stamp
from shared.codec import Codec
from shared.envelope import NO_STREAM, Draft, Head, Recorded, pack
from shared.keyring import SqliteKeyring
from shared.past import Past, position_at
from shared.projections.home import Home
from shared.sqlite_store import SqliteStore
from shared.store import EMPTY
from shared.store import History as Stream

FEW = 2
MANY = pytest.param(40, marks=pytest.mark.long)
CUSTOMERS = 25
"""Looked at from 40 points, a thousand views."""


@dataclass
class Log:
    """What a history needs of a log."""

    histories: Histories
    timezone: str = "UTC"

    @property
    def store(self) -> Log:
        return self

    @property
    def keyring(self) -> SqliteKeyring:
        return self.codec._keyring

    @property
    def codec(self) -> Codec:
        return self.histories.codec

    async def load(self, stream: str) -> Stream:
        events = tuple(event for event in self.histories.events if event.stream == stream)
        return Stream(events, EMPTY.head)


class Lives:
    """Some lives, and the read models of what they were up to a point."""

    def __init__(self, folder: Path, rng: random.Random, home: Home | None = None) -> None:
        self.histories = Histories(folder, home)
        self.customers = live(self.histories, CUSTOMERS, rng)
        self.log = Log(self.histories)

    def fold(self, family, seen):
        """The read model of those events alone."""
        some = Histories.__new__(Histories)
        vars(some).update(vars(self.histories), events=[event for event in self.histories.events if seen(event)])
        self.histories._folds += 1
        return some.fold(family)

    async def history(self, db, id_, as_of=None):
        return await history.history(self.log, id_, lookup.touched(db, id_, as_of))

    def day(self, event: Recorded) -> int:
        """The business day of an event: its own where it has one."""
        told = self.histories.codec.decode(event)
        own = getattr(told, "order_day", None) or getattr(told, "business_day", None)
        return own or business_day(datetime.fromisoformat(event.meta.occurred_at), "UTC")

    def days(self, rng: random.Random, count: int) -> list[int]:
        days = sorted(map(self.day, self.histories.events))
        return [rng.randint(days[0] - 1, days[-1] + 1) for _ in range(count)]

    def positions(self, rng: random.Random, count: int) -> list[int]:
        return [rng.randint(0, len(self.histories.events)) for _ in range(count)]


@pytest.fixture
def lives(tmp_path: Path, rng: random.Random) -> Lives:
    return Lives(tmp_path, rng)


points = pytest.mark.parametrize("count", [FEW, MANY])


@points
async def test_a_card_by_what_was_known_equals_a_fold_up_to_that_position(lives, rng, count):
    with lives.fold(directory.family, lambda _: True).read() as now:
        for position in lives.positions(rng, count):
            with lives.fold(directory.family, lambda event, upto=position: event.position <= upto).read() as then:
                for id_ in lives.customers:
                    expected = lookup.find(then, id_)
                    alone = expected and replace(expected, first_order=None, last_order=None, last_contact=None)
                    found = await lives.history(now, id_)
                    assert found.card(Past(known_at=position)) == alone
                    counts = await history.survivor(lives.log, id_, position)
                    assert counts == identity.survivor(then, id_)


@points
async def test_a_card_as_of_a_day_equals_a_fold_of_what_had_happened_by_then(lives, rng, count):
    with lives.fold(directory.family, lambda _: True).read() as now:
        since = {f"customer-{id_}": (await lives.history(now, id_)).since() for id_ in lives.customers}
        begun = {f"customer-{id_}": (await lives.history(now, id_)).events[0].meta for id_ in lives.customers}

        def day(event):
            first = begun[event.subject]
            told_first = event.stream == event.subject and event.meta.command_id == first.command_id
            return since[event.subject] if told_first else lives.day(event)

        for as_of in lives.days(rng, count):
            with lives.fold(directory.family, lambda event, upto=as_of: day(event) <= upto).read() as then:
                for id_ in lives.customers:
                    expected = lookup.find(then, id_)
                    found = (await lives.history(now, id_, as_of)).card(Past(as_of=as_of))
                    assert (found and replace(found, first_order=None)) == (
                        expected and replace(expected, first_order=None)
                    )


async def test_what_is_told_of_a_day_before_the_registration_makes_no_customer(tmp_path):
    told = Histories(tmp_path)
    id_ = UUID(int=7)
    registered = CustomerRegistered(
        customer_id=id_, kind="individual", name="Ana", country=None, internal=False, alias=None
    )
    told.happened(f"customer-{id_}", registered)
    told.happened(f"customer-{id_}", CustomerRenamed(customer_id=id_, name="Anna"), at=FIRST - timedelta(days=3))
    found = await history.history(Log(told), id_, lookup.Touched())
    today = business_day(FIRST, "UTC")
    before, after = Past(as_of=today - 1), Past(as_of=today)
    assert found.card(before) is None
    assert found.card(after).name == "Anna"
    assert list(found.changes(Past(as_of=today - 9), before)) == []
    assert {change.field: change.after for change in found.changes(before, after)}["name"] == "Anna"


@points
async def test_changes_between_two_points_lead_from_one_to_the_other(lives, rng, count):
    with lives.fold(directory.family, lambda _: True).read() as now:
        days = [Past(as_of=day) for day in lives.days(rng, 2 * count)]
        positions = [Past(known_at=position) for position in lives.positions(rng, 2 * count)]
        for some in (days, positions):
            for one, other in zip(some[::2], some[1::2], strict=True):
                first, last = sorted((one, other), key=lambda past: (past.as_of or 0, past.known_at or 0))
                for id_ in lives.customers:
                    found = await lives.history(now, id_)
                    facts = said(found, first)
                    for change in found.changes(first, last):
                        assert facts.get(change.field) == change.before
                        assert change.before != change.after
                        assert change.event in found.seen(last)
                        assert change.event not in found.seen(first)
                        facts[change.field] = change.after
                    assert {name: fact for name, fact in facts.items() if fact is not None} == said(found, last)


def said(found, past):
    """The facts of a point: what has changed since there was nothing."""
    facts = {}
    for change in found.changes(Past(known_at=0), past):
        facts[change.field] = change.after
    return {name: fact for name, fact in facts.items() if fact is not None}


def test_everything_that_changes_a_customer_has_a_name():
    assert set(changes_page.EVENTS) == {*directory.customers.types, *identity.identity.types}


@points
def test_a_timeline_by_what_was_known_equals_a_fold_up_to_that_position(lives, rng, count):
    for position in lives.positions(rng, count):
        check_timeline(lives, Past(known_at=position), lambda event, upto=position: event.position <= upto)


@points
def test_a_timeline_as_of_a_day_equals_a_fold_of_what_had_happened_by_then(lives, rng, count):
    def day(event):
        told = lives.histories.codec.decode(event)
        return getattr(told, "business_day", lives.day(event))

    for as_of in lives.days(rng, count):
        check_timeline(lives, Past(as_of=as_of), lambda event, upto=as_of: day(event) <= upto)


def check_timeline(lives, past, seen):
    with (
        lives.fold(timeline.family, lambda _: True).read() as now,
        lives.fold(timeline.family, seen).read() as then,
    ):
        for id_ in lives.customers:
            expected, _ = timeline.of_customer(then, id_, limit=1000)
            found, _ = timeline.of_customer(now, id_, between=Between(past), limit=1000)
            assert found == expected
            assert timeline.counts(now, id_, Between(past)) == timeline.counts(then, id_)


def test_what_came_after_an_earlier_point_and_what_was_there_are_the_whole_timeline(lives, rng):
    with lives.fold(timeline.family, lambda _: True).read() as now:
        for day in lives.days(rng, 10):
            for id_ in lives.customers[:5]:
                parts = (Between(Past(as_of=day)), Between(after=Past(as_of=day)))
                seen = [
                    line.event for part in parts for line in timeline.of_customer(now, id_, between=part, limit=1000)[0]
                ]
                assert sorted(seen) == sorted(line.event for line in timeline.of_customer(now, id_, limit=1000)[0])


def test_both_databases_give_the_same_timeline_and_purchases(tmp_path: Path, rng: random.Random, home: Home):
    lives = Lives(tmp_path, rng, home)
    (position,) = lives.positions(rng, 1)
    check_timeline(lives, Past(known_at=position), lambda event: event.position <= position)
    check_purchases(lives, position, rng)


@points
def test_orders_by_what_was_known_equal_a_fold_up_to_that_position(lives, rng, count):
    with lives.fold(orders.family, lambda _: True).read() as now:
        for position in lives.positions(rng, count):
            with lives.fold(orders.family, lambda event, upto=position: event.position <= upto).read() as then:
                for id_ in lives.customers:
                    found = earlier.last(now, id_, Past(known_at=position), "UTC", 50)
                    expected, _ = orders.listed(then, customer_id=id_)
                    assert [replace(one, buyer=None) for one in found] == [replace(one, buyer=None) for one in expected]


@points
def test_purchases_by_what_was_known_equal_a_fold_up_to_that_position(lives, rng, count):
    for position in lives.positions(rng, count):
        check_purchases(lives, position, rng)


def check_purchases(lives, position, rng):
    last = max(map(lives.day, lives.histories.events))
    fold = lives.fold(purchase_days.family, lambda event: event.position <= position)
    with lives.fold(evidence.family, lambda _: True).read() as now, fold.read() as then:
        everybody = merges(then)
        for id_ in lives.customers:
            question = Question(rng.randint(last - 300, last), None, rng.choice((None, "USD", "EUR")))
            found = known(now, id_, question, position)
            assert found.members == everybody.members([f"customer-{id_}"])[f"customer-{id_}"]
            expected = profiles(then, Kept(), [id_], question)[id_]
            assert found.profile == replace(expected, customer=found.profile.customer, among=0, standing=None)


@pytest.mark.parametrize("page", [1, 7, 500])
async def test_a_moment_is_the_position_of_the_last_event_recorded_by_then(
    tmp_path: Path, rng: random.Random, monkeypatch: pytest.MonkeyPatch, page: int
):
    monkeypatch.setattr(sqlite_store, "PAGE_EVENTS", page)
    histories = Histories(tmp_path)
    live(histories, 3, rng)
    store = SqliteStore(tmp_path / "events.db")
    try:
        assert await position_at(store, FIRST) == 0
        moments = await fill(store, histories, rng)
        asked = [*moments, *(moment + timedelta(microseconds=rng.choice((-1, 1))) for moment in moments)]
        for moment in rng.sample(asked, 40):
            assert await position_at(store, moment) == sum(recorded <= moment for recorded in moments)
    finally:
        await store.close()


async def fill(store: SqliteStore, histories: Histories, rng: random.Random) -> list[datetime]:
    """Append the events, some in the same instant; when each was recorded."""
    heads, moments, now = {}, [], datetime(2026, 1, 1, tzinfo=UTC)
    for event in histories.events:
        now += timedelta(seconds=rng.choice((0, 1, 90)))
        metadata = pack(msgspec.structs.replace(event.meta, recorded_at=stamp(now)))
        draft = Draft(event.id, event.type, event.schema, event.subject, event.data, metadata)
        (recorded,) = await store.append(event.stream, heads.get(event.stream, NO_STREAM), [draft])
        heads[event.stream] = Head(recorded.version, recorded.hash)
        moments.append(now)
    return moments
