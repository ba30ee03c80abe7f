"""The pages of insights in a real browser, of a whole base, of one customer and of none: they say, draw and open."""

import os
import random
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from shop_at_work import RETAIL, quiet_shop, settled, shop_at_work, sign_in

pytestmark = pytest.mark.browser

LONG = os.environ.get("RAPPORT_LONG") == "1"
DAY = f"as_of={RETAIL.last_day}"
BASE = f"source={RETAIL.source}&{DAY}"
TABS = ("Overview", "Intervals", "Loyalty", "Value", "Cohorts", "Movements")
PAGES = ("", "intervals", "loyalty", "value", "cohorts", "movements", "customers", "what-if")
OF_ONE = ("", "/why/due", "/why/segment", "/why/value", "/products")
LOOKS = [(1440, "light"), (360, "dark")]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
DOORS = "main a[href*='/analytics/customers']"


def looks(paths):
    """Each page in both looks; in the short run in one of them, in turn."""
    for number, path in enumerate(paths):
        for other, look in enumerate(LOOKS):
            marks = [pytest.mark.long] if (number + other) % 2 else []
            yield pytest.param(path, *look, marks=marks, id=f"{path or 'first'}-{look[0]}")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with shop_at_work(tmp_path_factory.mktemp("shop") / "data") as running:
        yield running


@pytest.fixture(scope="module", params=[0, 1], ids=["nobody", "one customer"])
def small_shop(request, tmp_path_factory):
    with quiet_shop(tmp_path_factory.mktemp("quiet") / "data", request.param) as running:
        yield running


@pytest.fixture(scope="module")
def signed_in(browser):
    """A browser in which somebody has signed in to a shop; what all pages load is loaded once."""
    contexts = {}

    def of(shop):
        if shop.url not in contexts:
            context = contexts[shop.url] = browser.new_context(base_url=shop.url, reduced_motion="reduce")
            page = context.new_page()
            sign_in(page, shop.url, "admin", shop.password)
            page.wait_for_url(f"{shop.url}/contacts/")
            page.close()
        return contexts[shop.url]

    yield of
    for context in contexts.values():
        context.close()


@pytest.fixture
def visit(signed_in):
    """Open a page of a shop, signed in, with all its parts; afterwards nothing may have been logged or broken."""
    pages, said = [], []

    def go(shop, path, *, width=1440, theme="light"):
        page = signed_in(shop).new_page()
        pages.append(page)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.goto(path)
        settled(page)
        return page

    yield go
    for page in pages:
        page.close()
    assert said == []


def accessible(page):
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    found = Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"]}).response["violations"]
    assert [(rule["id"], node["target"]) for rule in found for node in rule["nodes"]] == []


def test_the_tabs_lead_from_page_to_page_and_keep_the_day(visit, shop):
    page = visit(shop, f"/analytics/?{BASE}")
    for name in TABS:
        page.get_by_role("navigation", name="Insights").get_by_role("link", name=name).click()
        expect(page.locator(".tab[aria-current=page]")).to_have_text(name)
        expect(page.locator(".page-sub")).to_contain_text("as of 9 December 2010")
        settled(page)


@pytest.mark.parametrize(
    ("path", "plots"),
    [("intervals", ["pace", "survival"]), ("loyalty", ["segments", "loyalty-index"]), ("value", ["spread"])],
)
def test_plots_are_drawn_with_their_tables_behind(visit, shop, path, plots):
    page = visit(shop, f"/analytics/{path}?{BASE}")
    expect(page.locator(".plot-failed")).to_have_count(0)
    for plot in plots:
        expect(page.locator(f"#{plot} svg")).to_be_visible()
        expect(page.locator(f"#{plot}-table")).to_be_hidden()
        page.locator(f"figure:has(#{plot}) summary").click()
        expect(page.locator(f"#{plot}-table tbody tr").first).to_be_visible()


@pytest.mark.parametrize(
    "path",
    [
        "loyalty",
        "movements",
        *(pytest.param(path, marks=pytest.mark.long) for path in ("value", "cohorts", "customers")),
    ],
)
def test_a_number_picked_at_random_opens_down_to_its_events(visit, shop, path):
    page = visit(shop, f"/analytics/{path}?{BASE}")
    for table in page.locator("details.plot-table").all():
        table.evaluate("details => details.open = true")
    doors = page.locator(DOORS).filter(has_not_text="why").all()
    doors = doors or page.locator(DOORS).all()
    random.Random(path).choice(doors).click()
    settled(page)
    if page.locator("#list").count():
        page.locator("#list tbody").get_by_role("link", name="why").first.click()
        settled(page)
    page.locator(".scores .door").first.click()
    expect(page.locator("#events tbody tr").first).to_be_visible()
    position = page.locator("#events tbody tr td:last-child a").first
    event = page.request.get(position.get_attribute("href")).json()
    assert f"{event['position']:,}" == position.inner_text()


def test_the_names_of_customers_come_from_their_own_service(visit, shop):
    page = visit(shop, f"/analytics/customers?{BASE}")
    shown = page.locator("#list tbody th a").all_inner_texts()
    assert shown
    assert set(shown) <= {person["name"] for person in shop.people.values()}


def test_a_product_is_chosen_and_let_go_again(visit, shop):
    page = visit(shop, f"/analytics/intervals?{BASE}")
    page.locator("#product").fill("85123A")
    page.get_by_role("button", name="Choose").click()
    settled(page)
    expect(page.locator("#pace-title, .state-title").first).to_be_visible()
    expect(page.locator("#product")).to_have_value("85123A")
    page.get_by_role("link", name="All products").click()
    expect(page.locator("#product")).to_have_value("")
    settled(page)


def test_two_days_are_chosen_for_movements(visit, shop):
    page = visit(shop, f"/analytics/movements?{BASE}")
    page.get_by_label("From").fill("2010-03-31")
    page.get_by_label("As of").fill("2010-06-30")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".plot-note")).to_contain_text("segments on 31 March 2010")
    expect(page.locator(".plot-note")).to_contain_text("on 30 June 2010")


def test_the_card_leads_to_all_scores_and_back(visit, shop):
    page = visit(shop, f"{shop.card(shop.best)}?{DAY}")
    name = page.get_by_role("heading", level=1).inner_text()
    page.get_by_role("link", name="All scores, and why").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Scores of a customer")
    settled(page)
    expect(page.locator(".page-sub")).to_contain_text(name)
    page.get_by_role("link", name="Customer card").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    settled(page)


@pytest.mark.parametrize(("path", "width", "theme"), list(looks(PAGES)))
def test_every_page_of_a_base_is_accessible(visit, shop, path, width, theme):
    accessible(visit(shop, f"/analytics/{path}?{BASE}", width=width, theme=theme))


@pytest.mark.parametrize(("path", "width", "theme"), list(looks(OF_ONE)))
def test_every_page_of_a_customer_is_accessible(visit, shop, path, width, theme):
    of = visit(shop, f"/analytics/customers/{RETAIL.source}:{shop.best}?{BASE}").url
    address, _, query = of.partition("?")
    accessible(visit(shop, f"{address}{path}?{query}", width=width, theme=theme))


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_something_to_say_of_one_customer_and_of_none(visit, small_shop, path):
    page = visit(small_shop, f"/analytics/{path}?{DAY}", width=360)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    if LONG or PAGES.index(path) % 2 == bool(small_shop.days):  # in the short run one of the two, in turn
        accessible(page)
    expect(page.locator(".plot-failed")).to_have_count(0)
    if not small_shop.days:
        expect(page.locator(".state-title")).to_have_text("No orders yet")
    else:
        expect(page.locator("main")).not_to_contain_text(re.compile(r"\bnan\b|\bNone\b(?! could)"))
