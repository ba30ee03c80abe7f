"""Days are closed once, whatever crashes, races or comes late."""

import asyncio
import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
import sqlalchemy as sa
from closing_shop import OPENED, customer, open_shop
from topics_kit import assert_topic_is_the_store, relayed

from services.analytics import closer as closing
from services.analytics import registry, standing
from services.analytics.events import (
    CustomerAtRisk,
    DayClosed,
    ModelFitted,
    ModelRejected,
    PurchaseDue,
    ScoreRevised,
    SegmentEntered,
    SegmentLeft,
)
from services.analytics.model_versions import in_use
from services.analytics.purchase_days import days, family
from services.analytics.rules import TODAY
from shared import crashpoints
from shared.errors import Conflict, RapportError, SubjectIsErased, TooFarBehind

MODELS = (ModelFitted, ModelRejected)


class Crash(BaseException):
    """The end of a process."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def past(tmp_path_factory):
    """The folder of a shop with a past, whose first day has ended and was not closed."""
    folder = tmp_path_factory.mktemp("past")
    async with open_shop(folder) as shop:
        await shop.has_a_past()
    return folder


@pytest.fixture
async def shop(past, tmp_path):
    """That shop, ten minutes after midnight."""
    async with open_shop(shutil.copytree(past, tmp_path / "shop")) as shop:
        shop.later()
        yield shop


def of(events, *types):
    return [event for event in events if isinstance(event, types)]


def by_customer(events):
    return {event.customer_id: event for event in events}


def segments(shop, day):
    """Who stands where at the end of a day, counted the long way."""
    with shop.models.read(family) as db:
        c = days.c
        rows = db.execute(sa.select(c.customer, c.day, c.gross).where(c.orders > 0, c.day <= day)).all()
    bought = {}
    for row in rows:
        bought.setdefault(row.customer, {})[row.day] = row.gross
    figures = {who: (max(on), len(on), sum(on.values())) for who, on in bought.items()}
    scored = {}
    for who, mine in figures.items():
        r, f, m = (
            1 + 5 * sum(other[figure] < mine[figure] for other in figures.values()) // len(figures)
            for figure in range(3)
        )
        scored[who] = TODAY.segment(r, f, m, mine[1])
    return scored


async def test_the_first_close_says_where_everybody_stands(shop):
    assert await shop.closer().close_ended() == [OPENED]
    said = await shop.said(OPENED)
    entered = of(said, SegmentEntered)
    assert {f"customer-{event.customer_id}": event.segment for event in entered} == segments(shop, OPENED)
    assert {event.previous for event in entered} == {None}
    assert not of(said, SegmentLeft, ScoreRevised)
    assert isinstance(said[-1], DayClosed)
    assert said[-1].events == Counter(type(event).__name__ for event in said[:-1])


async def test_a_day_says_what_changed_and_nothing_else(shop):
    await shop.closer().close_ended()
    before = segments(shop, OPENED)
    for number in (3, 5, 8, 13, 21):
        await shop.sells(number, OPENED + 1, pounds=400)
    await shop.sells(200, OPENED + 1)
    day = shop.later()
    await shop.closer().close_ended()
    after, said = segments(shop, day), await shop.said(day)
    moved = {who for who in after if after[who] != before.get(who)}
    entered, left = of(said, SegmentEntered), of(said, SegmentLeft)
    assert len(moved) > 3
    assert sorted((f"customer-{e.customer_id}", e.previous, e.segment) for e in entered) == [
        (who, before.get(who), after[who]) for who in sorted(moved)
    ]
    assert sorted((f"customer-{e.customer_id}", e.segment, e.following, e.since) for e in left) == [
        (who, before[who], after[who], OPENED) for who in sorted(moved & before.keys())
    ]
    assert not of(said, ScoreRevised)


async def test_grades_say_why_a_customer_stands_where_it_stands(shop):
    await shop.closer().close_ended()
    for event in of(await shop.said(OPENED), SegmentEntered):
        grades = event.grades
        scores = [grade.score for grade in (grades.recency, grades.frequency, grades.money)]
        assert TODAY.segment(*scores, grades.frequency.value) == event.segment
        assert grades.recency.value <= grades.recency.takes
        assert grades.frequency.value >= grades.frequency.takes
        assert grades.money.value >= grades.money.takes


async def test_a_closed_day_is_never_closed_again(shop):
    same = shop.closer()
    await same.close_ended()
    head = await shop.log.store.position()
    assert await same.close_ended() == []
    assert await shop.closer().close_ended() == []
    assert await shop.log.store.position() == head


async def test_a_rebuild_of_every_read_model_publishes_nothing(shop, tmp_path):
    await shop.closer().close_ended()
    head, now = await shop.log.store.position(), shop.now
    folder = tmp_path / "again"
    shutil.copytree(tmp_path / "shop", folder, ignore=shutil.ignore_patterns("read", "*-shm", "*.lock"))
    async with open_shop(folder) as again:
        again.now = now
        await again.caught_up()
        assert await again.closer().close_ended() == []
        assert await again.log.store.position() == head


async def test_the_past_of_imported_history_is_not_closed(shop):
    shop.now = datetime(2026, 3, 2, 23, 59, tzinfo=UTC)
    assert await shop.closer().close_ended() == []
    shop.later()
    assert await shop.closer().close_ended() == [OPENED]
    assert await shop.said(OPENED - 1) == []


async def test_an_installation_without_an_event_has_no_day_to_close(tmp_path):
    async with open_shop(tmp_path) as shop:
        shop.later()
        assert await shop.closer().close_ended() == []


async def test_days_that_ended_while_nothing_ran_are_closed_in_order(shop):
    await shop.closer().close_ended()
    shop.later(days=3)
    assert await shop.closer().close_ended() == [OPENED + 1, OPENED + 2, OPENED + 3]
    due = [event for day in range(OPENED, OPENED + 4) for event in of(await shop.said(day), PurchaseDue)]
    assert len(due) == len({(event.customer_id, event.last_day) for event in due})


async def test_a_reaction_that_is_new_here_starts_with_yesterday(shop):
    shop.later(days=9)
    assert await shop.closer().close_ended() == [OPENED + 9]


async def test_a_day_ends_at_midnight_of_the_installation(shop):
    shop.log = replace(shop.log, timezone="Europe/Amsterdam")
    shop.now = datetime(2026, 3, 29, 0, 30, tzinfo=ZoneInfo("Europe/Amsterdam"))  # it jumps from 2:00 to 3:00
    (day,) = await shop.closer().close_ended()
    shop.now = datetime(2026, 3, 29, 23, 30, tzinfo=ZoneInfo("Europe/Amsterdam"))
    assert await shop.closer().close_ended() == []
    shop.now = datetime(2026, 3, 29, 22, 1, tzinfo=UTC)
    assert await shop.closer().close_ended() == [day + 1]
    closed = (await shop.log.store.load("day-2026-03-29")).events[-1]
    assert closed.meta.occurred_at == "2026-03-29T22:00:00.000000Z"


async def test_a_read_model_that_is_behind_keeps_the_day_open(shop, monkeypatch):
    async def behind(*_, **__):
        raise TooFarBehind(9, 1)

    monkeypatch.setattr(shop.models, "reached", behind)
    with pytest.raises(TooFarBehind):
        await shop.closer().close_ended()
    assert await shop.said(OPENED) == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def undisturbed(past, tmp_path_factory):
    """What the second day says when nothing goes wrong."""
    folder = tmp_path_factory.mktemp("undisturbed") / "shop"
    async with open_shop(shutil.copytree(past, folder)) as shop:
        return await _second_day(shop)


async def _second_day(shop, close=None):
    """Close the first day, sell, and close the second one somehow; what is said of it."""
    shop.later()
    await shop.closer().close_ended()
    for number in range(0, 80, 4):
        await shop.sells(number, OPENED + 1, pounds=300)
    await shop.sells(2, OPENED, pounds=900)
    day = shop.later()
    await (close or shop.closer().close_ended)()
    return await shop.said(day)


def _without_head(events):
    """All but the position that a close saw: one that is taken up again sees what it said before."""
    return [*events[:-1], events[-1].model_copy(update={"head": 0})]


@pytest.mark.parametrize("chunk", [1, 7, 20])
async def test_a_close_that_crashed_after_any_chunk_goes_on_exactly_there(
    past, tmp_path, monkeypatch, undisturbed, chunk
):
    monkeypatch.setattr(closing, "_CHUNK", chunk)
    assert of(undisturbed, SegmentLeft)
    crashes = 0

    def crash(name):
        nonlocal crashes
        if name == "day.chunk":
            crashes += 1
            raise Crash

    async with open_shop(shutil.copytree(past, tmp_path / "shop")) as shop:

        async def close():
            crashpoints.arm(crash)
            try:
                while True:
                    with suppress(Crash):
                        return await shop.closer().close_ended()
                    await shop.caught_up()
            finally:
                crashpoints.arm(None)

        assert _without_head(await _second_day(shop, close)) == _without_head(undisturbed)
        assert crashes == -(-len(undisturbed) // chunk)


async def test_a_first_close_that_was_cut_short_is_taken_up_days_later(shop, monkeypatch):
    monkeypatch.setattr(closing, "_CHUNK", 1)

    def crash(name):
        if name == "day.chunk":
            raise Crash

    crashpoints.arm(crash)
    try:
        with pytest.raises(Crash):
            await shop.closer().close_ended()
    finally:
        crashpoints.arm(None)
    monkeypatch.undo()
    shop.later(days=2)
    assert await shop.closer().close_ended() == [OPENED, OPENED + 1, OPENED + 2]


async def test_closers_that_race_say_everything_once(past, tmp_path, monkeypatch, undisturbed):
    monkeypatch.setattr(closing, "_CHUNK", 3)
    async with open_shop(shutil.copytree(past, tmp_path / "shop")) as shop:

        async def close():
            while True:
                racing = [shop.closer().close_ended() for _ in range(3)]
                ended = await asyncio.gather(*racing, return_exceptions=True)
                assert all(isinstance(each, list | Conflict) for each in ended), ended
                if all(each == [] for each in ended):
                    return

        assert _without_head(await _second_day(shop, close)) == _without_head(undisturbed)


async def test_a_late_order_revises_the_days_that_would_now_say_something_else(shop):
    await shop.closer().close_ended()
    for _ in range(2):
        shop.later()
        await shop.closer().close_ended()
    before = segments(shop, OPENED + 2)
    gone = next(e for e in of(await shop.said(OPENED), SegmentEntered) if e.segment == "dormant")
    number = next(number for number in range(80) if customer(number) == gone.customer_id)
    await shop.sells(number, OPENED + 1, pounds=900)
    day = shop.later()
    await shop.closer().close_ended()
    revised = by_customer(of(await shop.said(day), ScoreRevised))[gone.customer_id]
    subject = f"customer-{gone.customer_id}"
    assert (revised.as_of, revised.until) == (OPENED + 1, OPENED + 2)
    assert (revised.old, revised.new) == (before[subject], segments(shop, OPENED + 2)[subject])
    assert revised.grades.recency.value == 0
    assert by_customer(of(await shop.said(day), SegmentEntered))[gone.customer_id].previous == "dormant"
    day = shop.later()
    await shop.closer().close_ended()
    assert not of(await shop.said(day), ScoreRevised)


async def test_a_cancelled_order_revises_and_somebody_without_a_purchase_leaves(shop):
    only = await shop.sells(200, OPENED)
    await shop.closer().close_ended()
    await shop.cancels(only)
    day = shop.later()
    await shop.closer().close_ended()
    said = await shop.said(day)
    left, revised = (by_customer(of(said, some))[customer(200)] for some in (SegmentLeft, ScoreRevised))
    assert (left.following, left.cause, left.grades) == (None, "no purchases", None)
    assert (revised.as_of, revised.until, revised.new, revised.grades) == (OPENED, OPENED, None, None)


async def test_merged_customers_count_as_one(shop):
    await shop.closer().close_ended()
    await shop.merges(1, 2)
    day = shop.later()
    await shop.closer().close_ended()
    said = await shop.said(day)
    assert by_customer(of(said, SegmentLeft))[customer(1)].cause == "absorbed"
    assert by_customer(of(said, ScoreRevised))[customer(1)].new is None
    assert said[-1].currencies[0].customers == 79
    assert customer(1) not in by_customer(of(said, SegmentEntered, CustomerAtRisk, PurchaseDue))


async def test_of_an_erased_customer_nothing_is_said_any_more(shop):
    await shop.closer().close_ended()
    await shop.erases(1)
    for number in range(2, 9):
        await shop.sells(number, OPENED + 1, pounds=500)
    day = shop.later()
    await shop.closer().close_ended()
    said = await shop.said(day)
    assert customer(1) not in by_customer(event for event in said if not isinstance(event, (*MODELS, DayClosed)))
    assert said[-1].currencies[0].customers == 79
    with shop.models.read(standing.family) as db:
        assert f"customer-{customer(1)}" not in registry.said(db, "GBP").stays


async def test_who_is_erased_while_a_day_is_being_closed_is_left_out_by_the_next_try(shop, monkeypatch):
    monkeypatch.setattr(closing, "_CHUNK", 10)
    chosen = customer(1)
    erased = False

    async def erase():
        nonlocal erased
        erased = True
        await shop.erases(1)

    closer = shop.closer()
    append = closer._append

    async def interrupted(stream, head, events, ended):
        if not erased and any(getattr(event, "customer_id", None) == chosen for event in events):
            await erase()
        return await append(stream, head, events, ended)

    monkeypatch.setattr(closer, "_append", interrupted)
    with pytest.raises(SubjectIsErased):
        await closer.close_ended()
    assert await closer.close_ended() == [OPENED]
    assert chosen not in {getattr(event, "customer_id", None) for event in await shop.said(OPENED)}


async def test_a_customer_is_at_risk_once_after_each_purchase_and_due_once_in_each_interval(shop):
    for _ in range(12):
        await shop.closer().close_ended()
        shop.later()
    said = [event for day in range(OPENED, OPENED + 12) for event in await shop.said(day)]
    for some in (of(said, CustomerAtRisk), of(said, PurchaseDue)):
        assert len(some) == len({(event.customer_id, event.last_day) for event in some})
        assert len({event.day for event in some}) > 2
    for event in of(said, PurchaseDue):
        assert event.due_day <= event.day <= event.latest_day
    for event in of(said, CustomerAtRisk):
        assert event.probability >= event.threshold
        assert event.model.startswith("mbg_nbd-")


async def test_a_model_is_fitted_at_every_close_and_named_by_what_rests_on_it(shop):
    await shop.closer().close_ended()
    shop.later()
    await shop.closer().close_ended()
    for day, date in ((OPENED, "2026-03-02"), (OPENED + 1, "2026-03-03")):
        said = await shop.said(day)
        assert Counter(event.model for event in of(said, *MODELS)) == Counter(
            ("mbg_nbd", "gamma_gamma", "gamma_intervals")
        )
        assert f"mbg_nbd-{date}" in said[-1].currencies[0].models
    with shop.models.read(family) as db:
        assert in_use(db, "GBP", OPENED)["mbg_nbd"].version == "mbg_nbd-2026-03-02"
        assert in_use(db, "GBP", OPENED + 9)["mbg_nbd"].version == "mbg_nbd-2026-03-03"
        assert in_use(db, "GBP", OPENED - 1) == {}


async def test_each_currency_is_closed_for_itself(shop):
    for number in range(5):
        await shop.sells(number, OPENED, currency="EUR", pounds=number + 1)
    await shop.closer().close_ended()
    said = await shop.said(OPENED)
    assert [(each.currency, each.customers) for each in said[-1].currencies] == [("EUR", 5), ("GBP", 80)]
    assert len([event for event in of(said, SegmentEntered) if event.currency == "EUR"]) == 5


async def test_what_was_said_and_parked_keeps_the_day_open(shop, monkeypatch):
    await shop.closer().close_ended()
    shop.later()
    monkeypatch.setattr("shared.projections.parking.count", lambda *_: 1)
    with pytest.raises(RapportError, match="parked"):
        await shop.closer().close_ended()
    assert await shop.said(OPENED + 1) == []


@pytest.mark.kafka
async def test_other_systems_read_it_from_the_topic_of_analytics(shop, kafka, prefix):
    await shop.closer().close_ended()
    await relayed(shop.log.store, kafka, prefix, "analytics")
    await assert_topic_is_the_store(shop.log.store, kafka, prefix, "analytics")


async def test_it_goes_on_trying_after_whatever_went_wrong(shop, monkeypatch):
    tries = 0
    whole = closing.Closer.close_ended

    async def fails_at_first(self):
        nonlocal tries
        tries += 1
        if tries < 3:
            raise OSError("the disk is away")
        return await whole(self)

    monkeypatch.setattr(closing.Closer, "close_ended", fails_at_first)
    here = type("Here", (), {"log": shop.log, "models": shop.models})
    running = asyncio.create_task(closing.run(here))
    try:
        async with asyncio.timeout(30):
            while await _open(shop):
                await shop.models.progress(0.05)
    finally:
        running.cancel()
        await asyncio.wait([running])
    assert tries == 3


async def _open(shop):
    said = await shop.said(OPENED)
    return not said or not isinstance(said[-1], DayClosed)
