"""Scores rest on the models that the day closes published: they name them, and a rebuild gives the same ones."""

import shutil

import httpx2
import numpy as np
import pytest
import pytest_asyncio
from closing_shop import OPENED, customer, open_shop

from services.analytics.events import ModelFitted, SegmentEntered
from services.analytics.explain import Score, explain
from services.analytics.kept import Kept
from services.analytics.purchase_days import EVERYBODY, family
from services.analytics.refit import BUYING, INTERVALS, model_of
from services.analytics.scope import Question, Scope, scope
from services.analytics.scoring import scoring
from services.analytics.value import lapse_horizon
from shared.web.guard import Principal

PAGE = {"Accept": "text/html"}
DAY = "2026-03-04"
SUBJECT = f"customer-{customer(3)}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def past(tmp_path_factory):
    """The folder of a shop that has closed its first two days; its customers went on buying in between."""
    folder = tmp_path_factory.mktemp("closed")
    async with open_shop(folder) as shop:
        await shop.has_a_past()
        shop.later()
        await shop.closer().close_ended()
        for number in range(9):
            await shop.sells(number, OPENED + 1, pounds=30)
        shop.later()
        await shop.closer().close_ended()
    return folder


@pytest.fixture
async def shop(past, tmp_path):
    """That shop, on the morning of the third day."""
    async with open_shop(shutil.copytree(past, tmp_path / "shop")) as shop:
        shop.later(3)
        await shop.caught_up()
        yield shop


def scored(shop, as_of, answers=None):
    """The base as of a day."""
    with shop.models.read(family) as db:
        return (answers or Kept()).renewed(db, scoring, scope(db, Question(as_of)))


async def fitted(shop, day):
    """What the close of a day fitted, by model."""
    return {event.model: event for event in await shop.said(day) if isinstance(event, ModelFitted)}


async def position_of(shop, type_, day):
    """Where the log holds what a day close said of a model."""
    history = await shop.log.store.load(f"day-{day}")
    found = {}
    for recorded in history.events:
        event = shop.log.codec.decode(recorded)
        if isinstance(event, ModelFitted):
            found[event.model] = recorded.position
    return found[type_]


async def test_a_score_is_made_with_the_model_that_the_last_close_published(shop):
    told = await fitted(shop, OPENED + 1)
    found = scored(shop, OPENED + 2)
    assert found.buying == model_of(told[BUYING])
    assert found.waiting == model_of(told[INTERVALS])
    assert found.model_name == told[BUYING].version == "mbg_nbd-2026-03-03"
    assert found.models.backtest.purchases.mae == told[BUYING].backtest.mae
    assert found.horizon == lapse_horizon(found.timing.intervals.median)


async def test_an_explanation_names_the_model_and_opens_down_to_its_event(shop):
    told = await fitted(shop, OPENED + 1)
    found = scored(shop, OPENED + 2)
    due = explain(found, SUBJECT, Score.DUE)
    assert due.model == told[INTERVALS].version
    assert due.model_events == (await position_of(shop, INTERVALS, "2026-03-03"),)
    active = explain(found, SUBJECT, Score.ACTIVE)
    assert active.model == told[BUYING].version
    assert active.population["buying"] == told[BUYING].parameters
    assert active.backtest["actual"] == told[BUYING].backtest.actual


async def test_a_rebuild_gives_the_same_scores(shop, tmp_path):
    before = scored(shop, OPENED + 2)
    folder = tmp_path / "again"
    shutil.copytree(tmp_path / "shop", folder, ignore=shutil.ignore_patterns("read", "*-shm", "*.lock"))
    async with open_shop(folder) as again:
        await again.caught_up()
        after = scored(again, OPENED + 2)
    assert after.models == before.models
    for column in ("active", "expected", "value", "lapse"):
        np.testing.assert_array_equal(getattr(after, column), getattr(before, column))
    for score in set(Score) - {Score.VALUE}:  # what this shop takes has no model: it is rejected, at a bound
        assert explain(after, SUBJECT, score) == explain(before, SUBJECT, score)


async def test_each_day_has_the_model_that_was_in_use_on_it(shop):
    assert scored(shop, OPENED).model_name == "mbg_nbd-2026-03-02"
    assert scored(shop, OPENED + 1).model_name == "mbg_nbd-2026-03-03"


async def test_a_day_before_the_first_close_is_fitted_for_the_question_and_says_so(shop):
    found = scored(shop, OPENED - 10)
    assert found.model_name == "mbg_nbd-2026-02-20 (ad hoc)"
    assert explain(found, SUBJECT, Score.DUE).model_events == ()
    assert found.models.published == {}


async def test_one_source_is_not_scored_with_the_models_of_everybody(shop):
    with shop.models.read(family) as db:
        assert scoring(db, Scope(OPENED + 2, EVERYBODY, "GBP", mixed=False)).models.published
        assert scoring(db, Scope(OPENED + 2, "shop", "GBP", mixed=False)).models.published == {}


async def test_an_answer_that_is_kept_gives_way_to_the_next_close(shop):
    answers = Kept()
    assert scored(shop, OPENED + 5, answers).model_name == "mbg_nbd-2026-03-03"
    await shop.closer().close_ended()
    assert scored(shop, OPENED + 5, answers).model_name == "mbg_nbd-2026-03-04"


def analyst(shop):
    """An analyst's browser."""

    async def served(scope, receive, send):
        await shop.app({**scope, "state": {"principal": Principal("maria", "staff", "analyst")}}, receive, send)

    return httpx2.AsyncClient(transport=httpx2.ASGITransport(served), base_url="http://rapport")


async def test_the_api_and_the_page_name_the_model_and_lead_to_its_event(shop):
    async with analyst(shop) as client:
        opened = (await client.get(f"/analytics/api/v1/explain/due/{customer(3)}?as_of={DAY}")).json()
        page = await client.get(f"/analytics/customers/{customer(3)}/why/due?as_of={DAY}", headers=PAGE)
    assert opened["model"] == "gamma_intervals-2026-03-03"
    assert opened["model_events"] == [await position_of(shop, INTERVALS, "2026-03-03")]
    assert f"/api/v1/events?after={opened['model_events'][0] - 1}&amp;limit=1" in page.text


async def test_the_page_of_a_customer_says_which_scores_moved_it_from_segment_to_segment(shop):
    entered = [
        {event.customer_id: event for event in await shop.said(day) if isinstance(event, SegmentEntered)}
        for day in (OPENED, OPENED + 1)
    ]
    moved = next(event for event in entered[1].values() if event.previous is not None)
    before, now = entered[0][moved.customer_id].grades, moved.grades
    changed = [
        f"{letter} {getattr(before, name).score} → {getattr(now, name).score}: "
        for letter, name in (("R", "recency"), ("F", "frequency"), ("M", "money"))
        if getattr(before, name).score != getattr(now, name).score
    ]
    async with analyst(shop) as client:
        page = (await client.get(f"/analytics/customers/{moved.customer_id}?as_of={DAY}", headers=PAGE)).text
        card = f"/analytics/fragments/customers/{moved.customer_id}/loyalty"
        part = (await client.get(f"{card}?as_of=2026-03-03", headers=PAGE)).text
    assert changed
    assert all(said in page for said in changed)
    assert f"Recency {now.recency.score} of 5, frequency {now.frequency.score} of 5" in page
    assert f"Recency {before.recency.score} of 5, frequency {before.frequency.score} of 5" in page
    assert "left after 1 day" in page
    assert "for the first time in a segment" in page
    assert "In this segment since 3 March 2026" in part
