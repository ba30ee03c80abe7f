"""The pages of a filled installation in a real browser: what people find on them, and what they do there."""

import csv
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from shop_at_work import CDNOW, CUSTOMERS, RETAIL, settled, shop_at_work, sign_in

pytestmark = pytest.mark.browser

ALL = sum(CUSTOMERS.values())
DAY = f"as_of={RETAIL.last_day}"
DASHBOARD = f"/analytics/?source={RETAIL.source}&{DAY}"
PLOTS = ("intervals", "segments", "revenue")
PAGES = [
    "list",
    "card",
    "changes",
    "dashboard",
    "orders",
    "order",
    "interactions",
    "operations",
    "generations",
    "generation",
    "parked",
    "login",
]
SIZES = {1440: 900, 360: 740}
EVERY_LOOK = [(1440, "light"), (360, "dark"), (1440, "dark"), (360, "light")]
LOOKS = [
    pytest.param(name, *look, marks=() if other == number % 2 else pytest.mark.long)
    for number, name in enumerate(PAGES)
    for other, look in enumerate(EVERY_LOOK)
]
"""Each page in every look; in the short run in one of them, wide or narrow in turn."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
REFUSED = re.compile(r"the server responded with a status of (412|422)")
"""What Chromium reports of a form that comes back, as some of these tests want it to."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with shop_at_work(tmp_path_factory.mktemp("shop") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def session(shop, browser):
    """What a browser keeps of somebody who has signed in with the password of the first run."""
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, shop.url, "admin", shop.password)
    page.wait_for_url(f"{shop.url}/contacts/")
    yield context.storage_state()
    context.close()


@pytest.fixture
def desk(browser, shop, session):
    """Open a browser; afterwards nothing may have been logged, broken, or asked of another host."""
    contexts, said, asked = [], [], []

    def open_(*, width=1440, theme="light", signed_in=True):
        context = browser.new_context(
            base_url=shop.url,
            viewport={"width": width, "height": SIZES[width]},
            color_scheme=theme,
            reduced_motion="reduce",
            storage_state=session if signed_in else None,
        )
        contexts.append(context)
        context.on("console", lambda message: said.append(message.text))
        context.on("weberror", lambda error: said.append(str(error.error)))
        context.on("request", lambda request: asked.append(request.url))
        return context

    yield open_
    for context in contexts:
        context.close()
    assert [text for text in said if not REFUSED.search(text)] == []
    assert [url for url in asked if not url.startswith((shop.url, "data:", "blob:"))] == []


@pytest.fixture
def visit(desk):
    """Open a page of somebody signed in, with all its parts."""

    def go(path, context=None, **look):
        page = (context or desk(**look)).new_page()
        page.goto(path)
        settled(page)
        return page

    return go


def send(page, name):
    with page.expect_navigation():
        page.get_by_role("button", name=name, exact=True).click()
    settled(page)


# ---- Customers


def test_all_customers_are_listed_page_by_page_with_what_analytics_knows_of_them(visit):
    page = visit(f"/contacts/?{DAY}")
    expect(page.locator(".page-sub")).to_have_text(f"{ALL} customers")
    rows = page.locator("#list tbody tr")
    names = []
    while page.get_by_role("link", name="Next page").count():
        names += rows.locator("th a").all_inner_texts()
        assert all(page.locator("#list td[id$=-segment]").all_text_contents())
        assert all(page.locator("#list td[id$=-value]").all_text_contents())
        expect(page.locator("#list td[id$=-strip] svg").first).to_be_visible()
        page.get_by_role("link", name="Next page").click()
        expect(page.get_by_role("link", name="First page")).to_be_visible()
        settled(page)
    names += rows.locator("th a").all_inner_texts()
    assert len(names) == ALL


def test_slash_and_a_name_find_one_customer_with_segment_value_and_rhythm(visit, shop):
    page = visit(f"/contacts/?{DAY}")
    page.keyboard.press("/")
    page.keyboard.type(shop.people[shop.best]["email"])
    page.keyboard.press("Enter")
    page.wait_for_url("**/contacts/?q=*")
    page.goto(f"{page.url}&{DAY}")
    settled(page)
    row = page.locator("#list tbody tr")
    expect(row).to_have_count(1)
    expect(row.locator("th a")).to_have_text(shop.people[shop.best]["name"])
    expect(row.locator("td[id$=-segment]")).to_have_text("Champion")
    expect(row.locator("td[id$=-value]")).to_contain_text("£")
    expect(row.locator("td[id$=-strip] svg")).to_be_visible()


def test_a_chip_leaves_as_many_customers_as_it_says(visit, shop):
    page = visit("/contacts/")
    page.get_by_role("link", name="Organisations").click()
    page.wait_for_url("**/contacts/?kind=organisation")
    settled(page)
    expected = sum(person["kind"] == "organisation" for person in shop.people.values())
    expect(page.locator(".page-sub")).to_have_text(f"{expected} of {ALL} customers fit")
    expect(page.locator(".chip[aria-current=true]")).to_have_text(re.compile(rf"Organisations\s+{expected}"))
    expect(page.locator("#list tbody tr")).to_have_count(expected)


def test_nobody_found_is_said_with_a_way_back(visit):
    page = visit("/contacts/?q=nobody-is-called-so")
    expect(page.get_by_text("No customer fits", exact=True)).to_be_visible()
    page.get_by_role("link", name="Show all customers").click()
    expect(page.locator(".page-sub")).to_have_text(f"{ALL} customers")


# ---- The card


def test_a_card_shows_who_a_customer_is_and_what_happened(visit, shop):
    person, days = shop.people[shop.best], shop.days[shop.best]
    page = visit(f"{shop.card(shop.best)}?{DAY}")
    expect(page.get_by_role("heading", level=1)).to_have_text(person["name"])
    for known in (person["name"], "United Kingdom", person["email"]):
        expect(page.locator("#facts")).to_contain_text(known)
    expect(page.locator("#rhythm svg")).to_be_visible()
    expect(page.locator("#rhythm-table tbody tr")).to_have_count(len(days))
    expect(page.locator("#timeline .happening").filter(has_text="Order").first).to_be_visible()
    expect(
        page.get_by_role("img", name=re.compile(r"Recency \d of 5, frequency 5 of 5, value \d of 5"))
    ).to_be_visible()
    expect(page.locator(".reasons p")).to_have_count(3)
    expect(page.locator(".reasons")).to_contain_text(f"Ordered on {len(days)} days")
    expect(page.locator("#orders tbody tr a").first).to_be_visible()


def test_a_card_as_of_an_earlier_day_counts_the_orders_up_to_then(visit, shop):
    page = visit(shop.card(shop.best))
    middle = sorted(shop.days[shop.best])[len(shop.days[shop.best]) // 2]
    page.get_by_label("As of").fill(middle)
    send(page, "Show")
    expected = sum(day <= middle for day in shop.days[shop.best])
    expect(page.locator("#rhythm-table tbody tr")).to_have_count(expected)
    expect(page.locator(".reasons")).to_contain_text(f"Ordered on {expected} days")


def test_the_slider_goes_through_the_days_by_keyboard_and_leads_back_to_today(visit, shop):
    page = visit(f"{shop.card(shop.best)}?as_of={RETAIL.last_day}")
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    first = min(shop.days[shop.best])
    expect(page.get_by_label("As of", exact=True)).to_have_value(first)
    expect(page.locator("#rhythm-table tbody tr")).to_have_count(1)
    expect(slider).to_be_focused()
    expect(slider).to_have_attribute("aria-valuetext", re.compile(first[:4]))
    expect(page.locator("#card .notice")).to_contain_text("This is the past")
    expect(page.get_by_role("link", name=re.compile("^Change:"))).to_have_count(0)
    expect(page).to_have_url(re.compile(f"as_of={first}"))
    page.get_by_role("link", name="Back to today").click()
    expect(page.get_by_text("This is the past")).to_have_count(0)
    expect(page.get_by_role("link", name="Change: Name")).to_be_visible()
    settled(page)


def test_what_changed_names_the_event_the_person_and_the_command(visit, shop):
    page = visit(shop.card(shop.best))
    page.get_by_role("link", name="What has changed").click()
    settled(page)
    name = (
        page.locator("#changes tbody tr").filter(has_text="Registered").filter(has_text=shop.people[shop.best]["name"])
    )
    expect(name.get_by_role("rowheader")).to_have_text("Name")
    expect(name.get_by_role("link", name=re.compile("event"))).to_have_attribute("href", re.compile("/api/v1/events"))
    expect(name.locator("code")).to_have_text(re.compile(r"^[0-9a-f-]{36}$"))
    expect(page.locator("#timeline .happening").first).to_be_visible()


def test_a_new_name_is_seen_at_once_on_the_card_and_in_the_list(visit, shop):
    page = visit(shop.card(next(iter(shop.days))))
    page.get_by_role("link", name="Change: Name").click()
    page.locator("#edit").get_by_label("Name").fill("Zrinka Šubić-van den Broek")
    with page.expect_navigation():
        page.locator("#edit form button.btn-primary").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Zrinka Šubić-van den Broek")
    settled(page)
    expect(page.locator("#timeline")).to_contain_text("Zrinka Šubić-van den Broek")
    listed = visit("/contacts/?q=subic", page.context)
    expect(listed.locator("#list tbody tr th a")).to_have_text("Zrinka Šubić-van den Broek")


def test_an_edit_of_what_has_changed_meanwhile_is_not_lost_and_can_be_sent_again(visit, shop):
    outside_id = list(shop.days)[1]
    first = visit(f"{shop.card(outside_id)}?edit=rename")
    second = visit(f"{shop.card(outside_id)}?edit=rename", first.context)
    for page, name in ((first, "Said First"), (second, "Said Second")):
        page.locator("#edit").get_by_label("Name").fill(name)
        with page.expect_navigation() as answer:
            page.locator("#edit form button.btn-primary").click()
    assert answer.value.status == 412
    expect(second.locator("#edit").get_by_label("Name")).to_have_value("Said Second")
    expect(second.locator("#edit [role=alert]")).to_contain_text("Said First")
    expect(second.get_by_role("heading", level=1)).to_have_text("Said First")
    settled(second)
    with second.expect_navigation():
        second.locator("#edit form button.btn-primary").click()
    expect(second.get_by_role("heading", level=1)).to_have_text("Said Second")
    settled(second)


def test_a_call_recorded_from_the_card_stands_in_the_timeline(visit, shop):
    page = visit(shop.card(list(shop.days)[2]))
    name = page.get_by_role("heading", level=1).inner_text()
    page.locator(".page-actions").get_by_role("link", name="Record an interaction").click()
    page.get_by_label("Channel").select_option("phone_call")
    page.get_by_label("Who sought the contact").select_option("inbound")
    page.get_by_label("What it was about").fill("Asks when the red mugs come back.")
    send(page, "Record")
    page.get_by_role("link", name=name).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    settled(page)
    expect(page.locator("#timeline .happening").first).to_contain_text("Asks when the red mugs come back.")
    expect(page.locator(".page-sub")).to_contain_text("last contact")


# ---- Insights


def test_the_dashboard_draws_three_plots_with_their_tables_behind(visit, shop):
    page = visit(DASHBOARD)
    for plot in PLOTS:
        expect(page.locator(f"#{plot} svg")).to_be_visible()
        expect(page.locator(f"#{plot}")).to_have_attribute("aria-label", page.locator(f"#{plot}-title").inner_text())
        expect(page.locator(f"#{plot}-table")).to_be_hidden()
        page.locator(f"figure:has(#{plot}) summary").filter(has_text="Table").click()
        expect(page.locator(f"#{plot}-table")).to_be_visible()
    customers = page.locator("#segments-table tbody td:nth-child(2)").all_inner_texts()
    assert sum(map(int, customers)) == len(shop.days)


@pytest.mark.parametrize(
    ("plot", "compared"),
    [("intervals", {"intervals": 1}), ("segments", {"customers": 1}), ("revenue", {"orders": 1, "gross_minor": 2})],
)
def test_the_csv_of_a_plot_says_what_its_table_says(visit, plot, compared):
    page = visit(DASHBOARD)
    with page.expect_download() as download:
        page.locator(f"figure:has(#{plot})").get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == f"{plot}-{RETAIL.last_day}.csv"
    saved = list(csv.DictReader(download.value.path().read_text().splitlines()))
    rows = page.locator(f"#{plot}-table tbody tr").all()
    shown = [row.locator("th, td").all_text_contents() for row in rows]
    assert saved
    for name, column in compared.items():
        assert [row[name] for row in saved] == [re.sub(r"\D", "", row[column]) for row in shown], name


def test_sources_and_currencies_are_switched_one_at_a_time(visit, shop):
    page = visit(f"/analytics/?{DAY}")
    sources, currencies = page.get_by_role("navigation", name="Source"), page.get_by_role("navigation", name="Currency")
    for code, customers in (("USD", CUSTOMERS[CDNOW.source]), ("GBP", len(shop.days))):
        currencies.get_by_role("link", name=code).click()
        expect(page.locator(".page-sub")).to_contain_text(f"money in {code}")
        expect(currencies.locator("[aria-current=true]")).to_have_text(code)
        expect(page.locator(".figures dd a").first).to_have_text(str(customers))
    settled(page)
    sources.get_by_role("link", name=CDNOW.source).click()
    expect(page.locator(".page-sub")).to_contain_text("money in USD")
    expect(currencies).to_have_count(0)
    settled(page)


def test_a_chosen_day_stays_for_the_session_until_today_is_chosen(visit, desk):
    page = visit("/analytics/")
    page.get_by_label("As of").fill("2010-06-30")
    send(page, "Show")
    expect(page.locator(".page-sub")).to_contain_text("as of 30 June 2010")
    for path, said in (("/analytics/", ".page-sub"), ("/contacts/", ".notice")):
        page.goto(path)
        expect(page.locator(said).first).to_contain_text("30 June 2010")
        settled(page)
    somebody_else = visit("/analytics/", desk())
    expect(somebody_else.locator(".page-sub")).not_to_contain_text("30 June 2010")
    page.goto("/analytics/")
    settled(page)
    page.get_by_role("link", name="Show today").click()
    expect(page.locator(".page-sub")).not_to_contain_text("30 June 2010")
    page.goto("/contacts/")
    expect(page.locator("main")).not_to_contain_text("30 June 2010")
    settled(page)


# ---- Everywhere


def test_operations_says_that_everything_is_up_to_date(visit):
    page = visit("/operations/")
    expect(page.locator("#now").get_by_text("Everything is up to the last event.")).to_be_visible()
    states = page.locator("main tbody tr td:last-child").all_inner_texts()
    assert states
    assert set(states) == {"up to date"}
    page.set_viewport_size({"width": 360, "height": SIZES[360]})
    expect(page.locator("main tbody tr td:last-child").first).to_be_in_viewport()


def test_a_wrong_password_keeps_the_name_and_the_way(desk, shop):
    page = desk(signed_in=False).new_page()
    page.goto("/operations/")
    page.wait_for_url("**/login?next=*")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("admin")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(shop.password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/operations/")


def test_the_first_tab_skips_to_the_content(visit):
    page = visit("/portal/orders")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_the_command_menu_finds_a_customer_and_the_card_without_a_mouse(visit, shop):
    person = shop.people[shop.best]
    page = visit("/operations/")
    page.keyboard.press("Control+k")
    page.keyboard.type(person["email"])
    page.keyboard.press("Enter")
    page.wait_for_url("**/contacts/?q=*")
    settled(page)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(person["name"])
    settled(page)


@pytest.fixture(scope="module")
def addresses(shop, browser, session):
    """Where each page is; the order is one of many lines, the changes are those of a whole life."""
    context = browser.new_context(base_url=shop.url, storage_state=session)
    page = context.new_page()
    page.goto("/portal/orders")
    order = page.locator("main tbody th a").first.get_attribute("href")
    page.goto(shop.card(shop.best))
    changes = page.get_by_role("link", name="What has changed").get_attribute("href")
    context.close()
    return {
        "list": f"/contacts/?{DAY}",
        "card": f"{shop.card(shop.best)}?{DAY}",
        "changes": changes,
        "dashboard": DASHBOARD,
        "orders": "/portal/orders",
        "order": order,
        "interactions": "/interactions/",
        "operations": "/operations/",
        "generations": "/operations/replays",
        "generation": "/operations/replays/directory/1",
        "parked": "/operations/parked",
        "login": "/login",
    }


@pytest.mark.parametrize(("name", "width", "theme"), LOOKS)
def test_every_page_is_accessible_and_never_scrolls_sideways(visit, addresses, name, width, theme):
    page = visit(addresses[name], width=width, theme=theme, signed_in=name != "login")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    found = Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"]}).response["violations"]
    assert [(rule["id"], node["target"]) for rule in found for node in rule["nodes"]] == []
