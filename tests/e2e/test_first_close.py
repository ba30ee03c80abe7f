"""The first day ends: the running product closes it by itself, and scores rest on what that close fitted."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from closing_shop import customer, open_shop
from product import answer, serving

_WAIT = 90.0


@pytest.fixture
def data(tmp_path):
    """The folder of an installation that was set up yesterday, and stopped before midnight."""

    async def yesterday():
        async with open_shop(tmp_path / "data") as shop:
            shop.now = datetime.now(UTC) - timedelta(days=1)
            await shop.has_a_past(customers=60)

    asyncio.run(yesterday())
    return tmp_path / "data"


def closed(data, folder):
    """The closed days, once there is one."""
    until = time.monotonic() + _WAIT
    while not (days := answer("analytics", "days", "--data", data, cwd=folder)):
        assert time.monotonic() < until, "the day stays open"
    return days


def test_a_day_that_ended_is_closed_once_and_named_by_the_scores_that_rest_on_it(data, tmp_path):
    who = str(customer(7))
    with serving(data):
        (day,) = closed(data, tmp_path)
        due = answer("analytics", "explain", "due", who, "--data", data, cwd=tmp_path)
    assert day["events"]["SegmentEntered"] == 60
    assert due["model"] == f"gamma_intervals-{day['day']}"
    (position,) = due["model_events"]
    show = ("events", "show", "--after", str(position - 1), "--limit", "1")
    with serving(data):
        fitted = answer(*show, "--data", data, cwd=tmp_path)
        assert answer("analytics", "explain", "due", who, "--data", data, cwd=tmp_path) == due
        assert closed(data, tmp_path) == [day]
    assert fitted["type"] == "crm.analytics.ModelFitted"
    assert fitted["data"]["version"] == due["model"]
