"""The closed days, over HTTP and on the command line."""

import asyncio
import json

import httpx2
import pytest
from closing_shop import open_shop

from services.cli import main
from shared.web.guard import Principal


@pytest.fixture
async def closed(tmp_path):
    """A client of a shop that has closed two days."""
    async with open_shop(tmp_path) as shop:
        await shop.has_a_past(customers=10)
        for _ in range(2):
            shop.later()
            await shop.closer().close_ended()

        async def served(scope, receive, send):
            await shop.app({**scope, "state": {"principal": Principal("maria", "staff", "operator")}}, receive, send)

        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(served), base_url="http://rapport") as client:
            yield client


async def test_closed_days_are_listed_from_the_newest(closed):
    days = (await closed.get("/analytics/api/v1/days")).json()
    assert [day["day"] for day in days] == ["2026-03-03", "2026-03-02"]
    assert days[1]["recorded_at"] == "2026-03-03T00:10:00.000000Z"
    assert days[1]["events"]["SegmentEntered"] == 10
    (currency,) = days[1]["currencies"]
    assert (currency["currency"], currency["customers"]) == ("GBP", 10)
    assert sum(currency["segments"].values()) == 10
    assert [len(cuts) for cuts in currency["cuts"].values()] == [5, 5, 5]


async def test_as_many_are_listed_as_were_asked_for(closed):
    answer = await closed.get("/analytics/api/v1/days", params={"limit": 1})
    assert [day["day"] for day in answer.json()] == ["2026-03-03"]
    assert (await closed.get("/analytics/api/v1/days", params={"limit": 0})).status_code == 422


async def _closes_a_day(folder):
    async with open_shop(folder) as shop:
        await shop.has_a_past(customers=10)
        shop.later()
        await shop.closer().close_ended()


def test_the_command_line_lists_the_same(tmp_path, capsys):
    asyncio.run(_closes_a_day(tmp_path))
    for wish in (["--json"], ["--limit", "1"]):
        with pytest.raises(SystemExit) as ended:
            main(["analytics", "days", "--data", str(tmp_path), *wish])
        assert ended.value.code == 0
    document, table = capsys.readouterr().out.split("\n", 1)
    (day,) = json.loads(document)
    assert (day["day"], day["events"]["SegmentEntered"]) == ("2026-03-02", 10)
    assert "10 GBP" in table
    assert "10 SegmentEntered" in table
