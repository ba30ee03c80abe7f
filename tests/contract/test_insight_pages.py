"""The pages of insights: each says something of a base, of one customer and of none, and every number opens."""

from __future__ import annotations

import asyncio
import csv
import html
import io
import json
import re
import shutil
from datetime import UTC, date, datetime, time, timedelta
from uuid import uuid4

import pytest
from analytics_shop import NOBODY, PAGE, open_shop

from services.analytics import evidence
from services.analytics.explain import Score
from services.analytics.purchase_days import family
from services.analytics.tables import Table
from services.contacts.changing import merge
from services.contacts.standing import Merger
from services.portal.order import PlaceOrder, order
from services.portal.product import ListProduct, product
from shared.decider import Context, handle
from shared.ids import imported

TABS = ("", "intervals", "loyalty", "value", "cohorts", "movements")
LISTS = (*TABS, "customers", "what-if")
YEAR = 2010
DAY = "2010-12-31"
ANYTHING_BUT_WORDS = re.compile(r"<[^>]+>|\s+")


@pytest.fixture
async def shop(tmp_path):
    async with open_shop(tmp_path) as opened:
        yield opened


CUSTOMERS = [imported("customer", "shop", str(number)) for number in range(40)]


def days_of(number):
    """Whoever is first orders every week until autumn, every fourth customer leaves soon, the others stay."""
    first, pace = date(2010, 1, 4) + timedelta(days=5 * number), 21 + 4 * (number % 12) if number else 7
    times = 40 if not number else 2 + number % 3 if number % 4 == 0 else 20
    days = (first + timedelta(days=pace * again + (number + 5 * again) % (pace // 3)) for again in range(times))
    return [day for day in days if day.year == YEAR]


async def fill(folder):
    """Enough customers for models."""
    async with open_shop(folder) as shop:
        log = shop.embedded.platform.log
        for number, customer in enumerate(CUSTOMERS):
            assert await shop.knows(str(number)) == customer
            for again, day in enumerate(days_of(number)):
                price = f"{(20 + 17 * number % 40) * (1 + 7 * (again + number) % 5)}.00"
                line = {"code": "P1", "description": None, "quantity": 1, "unit_price": price}
                moment = datetime.combine(day, time(12), UTC)
                placed = PlaceOrder(
                    order_id=uuid4(), customer_id=customer, occurred_at=moment, currency="GBP", lines=(line,)
                )
                await handle(log, order, placed.order_id, placed, context=by_maria())
        for some in (family, evidence.family):
            await shop.embedded.platform.models.reached(some, await log.store.position(), wait=60)


def by_maria():
    return Context(actor="cli:maria", command_id=uuid4())


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filled")
    asyncio.run(fill(folder))
    return folder


@pytest.fixture
async def busy(filled, tmp_path):
    shutil.copytree(filled, tmp_path / "copy", ignore=shutil.ignore_patterns("*.sock"))
    async with open_shop(tmp_path / "copy") as opened:
        opened.customers = CUSTOMERS
        yield opened


@pytest.fixture
async def lonely(shop):
    """One customer who has ordered once."""
    shop.only = await shop.knows("1")
    outcome = await shop.sells(shop.only, "03-15", 20)
    await shop.embedded.platform.models.reached(evidence.family, outcome.position, wait=60)
    return shop


def words(page):
    return html.unescape(ANYTHING_BUT_WORDS.sub(" ", page.text))


def links(text, pattern):
    return [html.unescape(link) for link in re.findall(rf'href="({pattern}[^"]*)"', text)]


async def table(shop, name, **query):
    answer = await shop.see(f"/csv/{name}", as_of=DAY, **query)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.mark.parametrize("page", LISTS)
async def test_without_orders_every_page_says_what_would_stand_there(shop, page):
    answer = await shop.see(f"/{page}")
    assert answer.status_code == 200
    assert "No orders yet" in answer.text


@pytest.mark.parametrize("page", LISTS)
async def test_a_day_before_the_first_order_is_no_error_on_any_page(lonely, page):
    answer = await lonely.see(f"/{page}", as_of="2010-03-14")
    assert answer.status_code == 200
    assert "No orders up to this day" in answer.text


@pytest.mark.parametrize("page", TABS)
async def test_every_page_leads_to_all_others_with_what_was_chosen(lonely, page):
    answer = await lonely.see(f"/{page}", as_of=DAY, currency="GBP")
    tabs = links(answer.text.split('class="tabs"')[1].split("</nav>")[0], "/analytics/")
    assert [link.split("?")[0] for link in tabs] == [f"/analytics/{tab}" for tab in TABS]
    assert all(f"as_of={DAY}" in link and "currency=GBP" in link for link in tabs)
    assert answer.text.count('aria-current="page"') == 1


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("intervals", "Not enough data yet"),
        ("loyalty", "Ranked against no other customer"),
        ("value", "Not enough data"),
        ("cohorts", "0 % of new customers buy again in the month after their first"),
        ("movements", "100 % of all customers stayed in their segment"),
    ],
)
async def test_of_one_customer_each_page_says_how_little_that_is(lonely, page, said):
    assert said.replace(" %", "\N{NO-BREAK SPACE}%") in (await lonely.see(f"/{page}", as_of=DAY)).text


async def test_the_histogram_stands_under_the_curve_of_the_model_and_k_is_told_in_words(busy):
    page = words(await busy.see("/intervals", as_of=DAY))
    assert "customers come back" in page
    assert "Half of all orders come back within" in page
    rows = await table(busy, "pace")
    counted, expected = (sum(float(row[name] or 0) for row in rows) for name in ("intervals", "model_expects"))
    assert expected == pytest.approx(counted, rel=0.1)
    assert counted == (await busy.ask("/intervals", as_of=DAY)).json()["n"]


async def test_a_product_has_its_own_intervals_curve_and_list(busy):
    page = words(await busy.see("/intervals", as_of=DAY, product="P1"))
    assert "Half of all purchases of P1 follow the last within" in page
    page = words(await busy.see("/intervals", as_of=DAY, product="unheard-of"))
    assert "Nobody has ordered on a second day" in page


async def test_a_category_is_chosen_has_its_curve_and_narrows_the_list(busy):
    command, id_ = ListProduct(code="P1", name="Red mug", category="Cups"), imported("product", "portal", "P1")
    listed = await handle(busy.embedded.platform.log, product, id_, command, context=by_maria())
    await busy.embedded.platform.models.reached(family, listed.position, wait=60)
    asked = await busy.see("/intervals", as_of=DAY, category="Cups")
    assert '<option value="Cups">' in asked.text
    assert "Half of all purchases of Cups follow the last within" in words(asked)
    every, cups = [(await busy.ask("/intervals", as_of=DAY, **of)).json() for of in ({}, {"category": "Cups"})]
    assert every == cups  # nothing else is sold
    assert (await busy.ask("/intervals", as_of=DAY, category="Plates")).json()["n"] == 0
    assert (await busy.ask("/intervals", as_of=DAY, category="Cups", product="P1")).status_code == 422
    assert len(await table(busy, "due", category="Cups")) == len(await table(busy, "due")) > 0
    assert await table(busy, "due", category="Plates") == []


async def test_what_is_due_links_to_the_card_and_to_why(busy):
    on = DAY
    part = (await busy.see("/fragments/due", as_of=on)).text
    due = (await busy.ask("/due", as_of=on)).json()
    assert due
    assert [link.removeprefix("/contacts/") for link in links(part, "/contacts/")] == [row["customer"] for row in due]
    why = next(link for link in links(part, "/analytics/customers/") if "/products?" in link)
    opened = await busy.client.get(why, headers=PAGE)
    assert "The events behind it" in opened.text
    assert "Order placed" in opened.text
    assert len(await table(busy, "due")) == len((await busy.ask("/due", as_of=DAY)).json())


async def test_scores_segments_and_index_count_every_customer_once(busy):
    n = len(busy.customers)
    scores = await table(busy, "scores")
    for letter in "rfm":
        assert sum(int(row["customers"]) for row in scores if row["letter"] == letter) == n
    assert sum(int(row["customers"]) for row in await table(busy, "index")) == n
    assert sum(int(row["customers"]) for row in await table(busy, "lapses")) == n
    assert len(await table(busy, "customers")) == n


@pytest.mark.parametrize("page", ["loyalty", "value", "cohorts", "movements"])
async def test_every_count_opens_to_as_many_customers(busy, page):
    text = (await busy.see(f"/{page}", as_of=DAY)).text
    doors = re.findall(r'href="(/analytics/customers\?[^"]+)"[^>]*>(\d+)(?=[<\s])', text)
    assert page == "value" or len(doors) > 5
    for href, count in doors:
        opened = await busy.client.get(html.unescape(href), headers=PAGE)
        assert opened.status_code == 200
        of = re.search(r"(\d+) of (\d+) shown", opened.text)
        if page != "cohorts":
            assert of[2] == count, href
        else:
            assert int(of[2]) > 0, href


async def test_the_value_page_tells_what_the_model_foretold_and_what_came(busy):
    on = "2010-09-30"
    page = words(await busy.see("/value", as_of=on))
    portfolio = (await busy.ask("/portfolio", as_of=on)).json()
    assert "it foretold" in page
    assert f"£{portfolio['total_minor'] // 100:,}" in page
    assert "hardly ranks customers better" in page
    rows = list(csv.DictReader(io.StringIO((await busy.see("/csv/value", as_of=on)).text)))
    assert {row["segment"]: int(row["gross_minor"]) for row in rows} == portfolio["by_segment"]


async def test_cohorts_leave_empty_what_was_not_observed(busy):
    rows = await table(busy, "cohorts")
    found = (await busy.ask("/cohorts", as_of=DAY)).json()
    assert [row["first_month"] for row in rows] == [row["month"] for row in found]
    assert rows[-1]["month_11"] == ""
    assert rows[0]["month_11"] != ""
    page = (await busy.see("/cohorts", as_of="2010-12-15")).text
    assert 'class="heat-none"' in page
    assert "December 2010 is not over" in page


async def test_movements_are_those_of_the_api_between_the_two_days(busy):
    days = {"from": "2010-04-30", "to": "2010-07-31"}
    found = (await busy.ask("/migration", **days)).json()
    answer = await busy.see("/csv/movements", as_of=days["to"], **{"from": days["from"]})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    moved = {row["from"]: {name: int(row[name]) for name in found["matrix"]} for row in rows if row["from"]}
    assert moved == found["matrix"]
    page = await busy.see("/movements", as_of=days["to"], **{"from": days["from"]})
    assert 'value="2010-04-30"' in page.text
    assert (await busy.see("/movements", as_of="2010-01-01", **{"from": "2010-02-01"})).status_code == 422
    assert "Nobody was a customer yet" in (await busy.see("/movements", as_of=DAY, **{"from": "2009-01-01"})).text


async def test_all_scores_of_a_customer_have_a_value_a_sentence_and_a_why(busy):
    page = await busy.see(f"/customers/{busy.customers[0]}", as_of=DAY)
    whys = [link for link in links(page.text, "/analytics/customers/") if "/why/" in link]
    assert {re.search(r"/why/(\w+)", link)[1] for link in whys} == {score.value for score in Score}


@pytest.mark.parametrize("score", list(Score))
async def test_a_score_opens_down_to_its_events(busy, score):
    customer = busy.customers[1]
    page = await busy.see(f"/customers/{customer}/why/{score.value}", as_of=DAY)
    assert page.status_code == 200
    found = (await busy.ask(f"/explain/{score.value}/{customer}", as_of=DAY)).json()
    assert html.escape(found["definition"]) in page.text
    shown = [int(at) + 1 for at in re.findall(r"/api/v1/events\?after=(\d+)", page.text)]
    assert shown == found["events"]
    assert len(shown) == len(days_of(1))
    event = await busy.client.get(f"/api/v1/events?after={shown[0] - 1}&limit=1")
    assert json.loads(event.text)["position"] == shown[0]


async def test_where_no_model_carries_a_score_the_page_says_so(lonely):
    page = words(await lonely.see(f"/customers/{lonely.only}", as_of=DAY))
    assert "not enough data" in page
    for score in (Score.ACTIVE, Score.VALUE, Score.DUE):
        opened = await lonely.see(f"/customers/{lonely.only}/why/{score.value}", as_of=DAY)
        assert opened.status_code == 200
        assert "Not enough data" in opened.text


async def test_what_the_population_suggests_is_marked_as_such(busy):
    newcomer = await busy.knows("newcomer")
    await busy.sells(newcomer, "12-01", 20)
    part = (await busy.see(f"/fragments/customers/{newcomer}/rhythm", as_of=DAY)).text
    assert "One order is not enough data. The population suggests" in part


async def test_the_card_shows_window_index_and_risk(busy):
    customer = busy.customers[0]
    rhythm = (await busy.see(f"/fragments/customers/{customer}/rhythm", as_of="2010-10-08")).text
    assert "Eight of ten such orders come between" in rhythm
    assert '"markArea"' in rhythm
    late = (await busy.see(f"/fragments/customers/{customer}/rhythm", as_of=DAY)).text
    assert "Overdue: with a chance of" in late
    loyalty = (await busy.see(f"/fragments/customers/{customer}/loyalty", as_of=DAY)).text
    assert "Loyalty index" in loyalty
    assert "Risk of lapsing" in loyalty


async def test_whoever_was_absorbed_shows_the_survivor(busy):
    kept, gone = busy.customers[:2]
    log = busy.embedded.platform.log
    version = len((await log.store.load(f"customer-{gone}")).events) - 1
    outcome = await merge(log, gone, Merger(survivor=kept), by_maria(), version)
    await busy.embedded.platform.models.reached(family, outcome.position, wait=60)
    moved = await busy.see(f"/customers/{gone}", as_of=DAY)
    assert moved.status_code == 307
    assert moved.headers["location"] == f"/analytics/customers/{kept}?as_of={DAY}"
    page = words(await busy.see(f"/customers/{kept}", as_of=DAY))
    assert "counts for one other record that was merged into it" in page
    part = (await busy.see(f"/fragments/customers/{gone}/loyalty", as_of=DAY)).text
    assert f"/analytics/customers/{kept}?" in part


@pytest.mark.parametrize("path", [f"/customers/{NOBODY}", "/customers/shop:404", f"/customers/{NOBODY}/why/index"])
async def test_a_customer_that_nobody_knows_has_no_page(busy, path):
    assert (await busy.see(path)).status_code == 404


async def test_a_product_that_a_customer_never_bought_has_no_page(busy):
    answer = await busy.see(f"/customers/{busy.customers[0]}/products", product="unheard-of", as_of=DAY)
    assert answer.status_code == 404
    assert "P1" in (await busy.see(f"/customers/{busy.customers[0]}/products", as_of=DAY)).text


@pytest.mark.parametrize("name", list(Table))
async def test_every_table_can_be_had_as_csv(lonely, name):
    answer = await lonely.see(f"/csv/{name.value}", as_of=DAY)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="{name.value}-{DAY}.csv"'
    head, *_rows = csv.reader(io.StringIO(answer.text))
    assert all(re.fullmatch(r"[a-z_0-9]+", column) for column in head)


@pytest.mark.parametrize(
    "query",
    [{"was": "loyal"}, {"letter": "r"}, {"score": "9"}, {"first": "2010-13"}, {"points": "-1"}, {"segment": "best"}],
)
async def test_conditions_that_cannot_be_are_refused_with_a_page(lonely, query):
    answer = await lonely.see("/customers", **query)
    assert answer.status_code in {400, 422}
    assert "</html>" in answer.text


async def test_the_definitions_have_an_anchor_for_every_door_of_the_new_pages(busy):
    definitions = (await busy.see("/definitions")).text
    paths = [f"/{page}" for page in LISTS] + [f"/customers/{busy.customers[0]}", "/fragments/due"]
    pages = [(await busy.see(path, as_of=DAY)).text for path in paths]
    doors = set(re.findall(r'href="/analytics/definitions#([\w-]+)"', "".join(pages)))
    assert len(doors) > 12
    assert {door for door in doors if f'id="{door}"' not in definitions} == set()
