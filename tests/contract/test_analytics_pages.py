"""The pages of analytics and what it gives to other pages, as a browser gets them."""

from __future__ import annotations

import csv
import io
import re

import pytest
from analytics_shop import NOBODY, PAGE, open_shop, today


@pytest.fixture
async def shop(tmp_path):
    async with open_shop(tmp_path) as opened:
        yield opened


@pytest.fixture
async def busy(shop):
    """Three customers in pounds, one of them often; one in dollars."""
    shop.ana, shop.bo, shop.cy = [await shop.knows(number) for number in "123"]
    shop.dee = await shop.knows("1", source="us")
    for day in ("01-10", "01-20", "01-30", "02-09"):
        await shop.sells(shop.ana, day, 200)
    await shop.sells(shop.bo, "01-05", 50)
    await shop.sells(shop.cy, "02-27", 50)
    await shop.sells(shop.dee, "02-01", 70, currency="USD")
    return shop


async def test_without_orders_the_dashboard_says_what_would_stand_there(shop):
    page = await shop.see("/")
    assert page.status_code == 200
    assert "No orders yet" in page.text


async def test_the_dashboard_says_its_messages_in_its_titles(busy):
    page = await busy.see("/", as_of="2010-03-31")
    for message in (
        "How loyal is the base?",
        "Half of all orders come back within 10 days",
        "as of 31 March 2010",
        "£900",
        "3 customers, no champion yet",
    ):
        assert message in page.text
    assert 'href="/analytics/definitions#intervals"' in page.text


async def test_the_best_month_is_told_against_the_weakest(busy):
    await busy.sells(busy.bo, "03-05", 100)
    page = await busy.see("/", as_of="2010-03-31")
    assert "February 2010" in page.text
    assert "February brings 2.5 times the revenue of March" in page.text


async def test_a_page_shows_the_currency_of_most_orders_and_lets_choose(busy):
    page = await busy.see("/", as_of="2010-03-31")
    assert "money in GBP" in page.text
    link = next(link for link in re.findall(r'href="(/analytics/\?[^"]+)"', page.text) if "USD" in link)
    dollars = await busy.client.get(link.replace("&amp;", "&"), headers=PAGE)
    assert "money in USD" in dollars.text
    assert "US$70" in dollars.text
    assert "Nobody has ordered on a second day" in dollars.text


async def test_a_day_before_the_first_order_is_not_an_error(busy):
    page = await busy.see("/", as_of="2009-12-31")
    assert page.status_code == 200
    assert "No orders up to this day" in page.text


async def test_a_chosen_day_stays_for_the_session_until_today_is_chosen(busy):
    await busy.see("/", as_of="2010-03-31")
    assert "as of 31 March 2010" in (await busy.see("/")).text
    assert "31 March" not in (await busy.see("/", as_of="")).text
    assert f'value="{today().isoformat()}"' in (await busy.see("/")).text


@pytest.mark.parametrize("query", [{"as_of": "2010-02-30"}, {"source": "nobody"}, {"currency": "pounds"}])
async def test_what_cannot_be_is_answered_with_a_page(busy, query):
    page = await busy.see("/", **query)
    assert page.status_code == 422
    assert "</html>" in page.text


async def test_the_definitions_have_an_anchor_for_every_door(busy):
    definitions = (await busy.see("/definitions")).text
    parts = [f"/fragments/customers/{busy.ana}/{part}" for part in ("rhythm", "loyalty")]
    pages = [(await busy.see(path, as_of="2010-03-31")).text for path in ("/", *parts)]
    doors = set(re.findall(r'href="/analytics/definitions#(\w+)"', "".join(pages)))
    assert len(doors) > 4
    assert {door for door in doors if f'id="{door}"' not in definitions} == set()


async def test_csv_holds_the_figures_of_the_plots(busy):
    tables = {}
    for name in ("intervals", "segments", "revenue"):
        answer = await busy.see(f"/csv/{name}", as_of="2010-02-28")
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}-2010-02-28.csv"'
        tables[name] = list(csv.reader(io.StringIO(answer.text)))
    assert tables["intervals"] == [["from_days", "to_days", "intervals"], ["1", "7", "0"], ["8", "14", "3"]]
    assert sum(int(row[1]) for row in tables["segments"][1:]) == 3
    assert sum(int(row[3]) for row in tables["segments"][1:]) == 90_000
    assert [row[:4] for row in tables["revenue"][1:]] == [
        ["2010-01", "4", "GBP", "65000"],
        ["2010-02", "2", "GBP", "25000"],
    ]


async def test_the_rhythm_of_a_customer_says_when_the_next_order_is_due(busy):
    part = (await busy.see(f"/fragments/customers/{busy.ana}/rhythm", as_of="2010-02-12")).text
    assert "Orders about every 10 days, next due 19 February 2010" in part
    part = (await busy.see(f"/fragments/customers/{busy.ana}/rhythm", as_of="2010-03-31")).text
    assert "Orders about every 10 days, the next was due 19 February 2010" in part
    assert "<td" in part


async def test_one_purchase_day_makes_no_rhythm(busy):
    part = (await busy.see(f"/fragments/customers/{busy.bo}/rhythm", as_of="2010-03-31")).text
    assert "Ordered on one day so far, 5 January 2010" in part
    assert "Two purchase days make a rhythm" in part


@pytest.mark.parametrize("part", ["rhythm", "loyalty"])
async def test_who_never_ordered_gets_an_empty_place(busy, part):
    answer = await busy.see(f"/fragments/customers/{NOBODY}/{part}")
    assert answer.status_code == 200
    assert "No orders up to this day" in answer.text


async def test_the_loyalty_of_a_customer_comes_with_its_reasons(busy):
    part = (await busy.see(f"/fragments/customers/{busy.bo}/loyalty", as_of="2010-03-31")).text
    assert "Last order 85 days ago. Score 2 takes an order within 50 days." in part
    assert "Ordered on 1 day. Score 4 takes orders on at least 4 days." in part
    assert "Orders worth £50.00. Score 4 takes orders worth at least £800.00." in part
    assert "Ranked among only 3 customers" in part


async def test_cells_of_a_list_are_swapped_in_by_their_ids(busy):
    answer = await busy.see("/fragments/customers", ids=f"{busy.ana},{busy.dee},{NOBODY}", as_of="2010-02-12")
    cells = dict(re.findall(r'<td id="a-([^"]+)" hx-swap-oob="innerHTML">(.*?)</td>', answer.text, re.DOTALL))
    assert len(cells) == 12
    assert "19 Feb 2010" in cells[f"{busy.ana}-due"]
    assert "in 7 days" in cells[f"{busy.ana}-due"]
    assert "£800" in cells[f"{busy.ana}-value"]
    assert "US$70" in cells[f"{busy.dee}-value"]
    assert "Days between the last orders: 10, 10, 10" in cells[f"{busy.ana}-strip"]
    assert "no orders" in cells[f"{NOBODY}-segment"]


@pytest.mark.parametrize(
    "ids", ["1,2", ",".join(["6f1d7c52-6a0c-5f0e-9a6b-3c1f0d5e8b77"[:-3] + f"{n:03}" for n in range(201)])]
)
async def test_ids_that_are_none_or_too_many_are_refused(shop, ids):
    assert (await shop.see("/fragments/customers", ids=ids)).status_code == 422
