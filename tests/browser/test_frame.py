"""The frame in a real browser: what people see at every size, what keys do, and that nothing breaks the policy."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from pages_of_a_shop import shop
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

PAGES = ["/contacts/", "/nobody", "/analytics/", "/new?wrong=true", "/login", "/portal/", "/nowhere"]
STRANGERS = {"/login", "/nowhere"}
SIZES = {1440: 900, 768: 1024, 360: 740}
WIDTHS = [320, 360, 640, 767, 768, 991, 992, 1280, 1440, 3840]
SHORT = {(1440, "light"), (768, "dark"), (360, "light")}
LOOKS = [
    pytest.param(*look, marks=() if look in SHORT else pytest.mark.long)
    for look in ((width, theme) for width in SIZES for theme in ("light", "dark"))
]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EXPECTED = ("the server responded with a status of", "Response Status Error Code 500 from /broken")
"""What Chromium and htmx report about answers that these pages ask for on purpose."""


@pytest.fixture(scope="module")
def address(serve):
    return serve(shop())


@pytest.fixture
def visit(browser, address):
    """Open a path; afterwards nothing may have been logged, broken or asked of another host."""
    contexts, said, asked = [], [], []

    def go(path, *, width=1440, signed_in=True, cookies=(), **options):
        context = browser.new_context(viewport={"width": width, "height": SIZES.get(width, 900)}, **options)
        contexts.append(context)
        sessions = [("rapport_session", "x")] if signed_in else []
        context.add_cookies([{"name": n, "value": v, "url": address} for n, v in (*sessions, *cookies)])
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address + path)
        expect(page.locator("[data-plot]:not(.plot-drawn)")).to_have_count(0)
        expect(page.locator("[hx-trigger=load]:not(.later-failed)")).to_have_count(0)
        return page

    yield go
    for context in contexts:
        context.close()
    assert [text for text in said if not any(known in text for known in EXPECTED)] == []
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


@pytest.mark.parametrize(("width", "theme"), LOOKS)
@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_accessible(visit, path, width, theme):
    page = visit(
        path, width=width, signed_in=path not in STRANGERS, cookies=[("theme", theme)], reduced_motion="reduce"
    )
    found = Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"]}).response["violations"]
    assert [(rule["id"], node["target"]) for rule in found for node in rule["nodes"]] == []


@pytest.mark.parametrize("path", PAGES)
def test_every_page_fits_every_width_and_so_every_zoom(visit, path):
    page = visit(path, signed_in=path not in STRANGERS)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width


def test_plots_are_drawn_within_the_policy_with_a_text_alternative(visit):
    page = visit("/analytics/")
    for name in ("intervals", "segments", "rhythm", "late"):
        expect(page.locator(f"#{name} svg")).to_be_visible()
        expect(page.locator(f"#{name}")).to_have_attribute("aria-label", page.locator(f"#{name}-title").inner_text())
    page.locator("#intervals").hover(position={"x": 80, "y": 200})
    expect(page.locator("#intervals svg")).to_contain_text("days between orders: 1,890")


def test_a_plot_keeps_its_place_while_it_is_drawn(visit):
    page = visit("/contacts/")
    page.add_init_script("""
        window.shifted = 0;
        new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.shifted += entry.value; })
            .observe({ type: "layout-shift", buffered: true });
    """)
    page.goto(page.url.replace("/contacts/", "/analytics/"))
    expect(page.locator("#intervals svg")).to_be_visible()
    assert page.evaluate("window.shifted") < 0.02


def test_only_a_page_with_plots_loads_the_plot_library(visit):
    names = "performance.getEntriesByType('resource').map((entry) => entry.name)"
    assert not any("echarts" in name for name in visit("/contacts/").evaluate(names))
    assert any("echarts" in name for name in visit("/analytics/").evaluate(names))


def test_the_table_behind_a_plot_is_one_click_away_and_saved_as_csv(visit):
    page = visit("/analytics/")
    page.locator("figure:has(#intervals) summary").click()
    expect(page.locator("#intervals-table")).to_contain_text("1,890")
    with page.expect_download() as download:
        page.locator("[data-csv=intervals-table]").click()
    assert download.value.suggested_filename == "intervals.csv"
    lines = download.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert lines[:2] == ["days between orders,intervals", '0\N{EN DASH}7,"1,890"']


def test_a_csv_holds_no_formula_that_a_customer_or_product_brought(visit):
    page = visit("/analytics/")
    with page.expect_download() as download:
        page.locator("[data-csv=late-table]").click()
    assert download.value.path().read_text(encoding="utf-8-sig").splitlines()[1:] == [
        "'=cmd|cake cases,14",
        "Lunch bag,13",
    ]


def test_a_plot_that_cannot_be_drawn_shows_its_table(browser, address):
    context = browser.new_context()
    page = context.new_page()
    page.route("**/echarts.js", lambda route: route.abort())
    page.goto(address + "/analytics/")
    expect(page.locator("#intervals-table")).to_be_visible()
    expect(page.locator("#intervals")).to_be_hidden()
    context.close()


def test_slash_searches_and_enter_leads_to_the_customers(visit):
    page = visit("/nobody")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("kovač")
    page.keyboard.press("Enter")
    expect(page.locator("#searched")).to_have_text("kovač")


def test_the_command_menu_goes_to_pages_and_searches(visit):
    page = visit("/nobody")
    page.keyboard.press("Control+k")
    menu = page.get_by_role("combobox", name="Command or customer")
    expect(menu).to_be_focused()
    menu.fill("insi")
    expect(page.locator("#commands [aria-selected=true]")).to_contain_text("Insights")
    page.keyboard.press("Enter")
    page.wait_for_url("**/analytics/")
    page.keyboard.press("Control+k")
    menu.fill("horvat")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#commands [aria-selected=true]")).to_contain_text("“horvat”")
    page.keyboard.press("Enter")
    expect(page.locator("#searched")).to_have_text("horvat")


def test_escape_closes_a_menu_and_gives_the_focus_back(visit):
    page = visit("/contacts/")
    page.get_by_label("Language and theme").click()
    expect(page.get_by_role("button", name="Hrvatski")).to_be_visible()
    page.get_by_role("button", name="Hrvatski").focus()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Hrvatski")).to_be_hidden()
    expect(page.get_by_label("Language and theme")).to_be_focused()


def test_letters_go_places_open_the_list_of_shortcuts_and_walk_rows(visit):
    page = visit("/contacts/")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="Kovač Papir")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.get_by_role("link", name="Boekhandel")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_hidden()
    page.keyboard.press("n")
    page.wait_for_url("**/new")
    page.locator("#main").focus()
    page.keyboard.press("g")
    page.keyboard.press("n")
    page.wait_for_url("**/analytics/")


def test_letters_typed_into_a_field_are_only_letters(visit):
    page = visit("/new")
    page.get_by_label("Name").fill("")
    page.get_by_label("Name").press_sequentially("g?/n")
    expect(page.get_by_label("Name")).to_have_value("g?/n")
    assert page.url.endswith("/new")


def test_language_and_theme_change_and_stay(visit):
    page = visit("/contacts/")
    page.get_by_label("Language and theme").click()
    page.get_by_role("button", name="Nederlands").click()
    expect(page.get_by_role("link", name="Klanten")).to_be_visible()
    page.get_by_label("Taal en thema").click()
    page.get_by_role("button", name="Donker").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "nl")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 21, 28)"


@pytest.mark.parametrize(("scheme", "ground"), [("light", "rgb(245, 246, 248)"), ("dark", "rgb(16, 21, 28)")])
def test_without_a_choice_the_theme_follows_the_device(visit, scheme, ground):
    page = visit("/contacts/", color_scheme=scheme)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == ground


def test_a_part_that_arrives_later_is_announced_and_takes_the_focus(visit):
    page = visit("/analytics/")
    expect(page.locator("#announcer")).to_have_text("The plot is here")
    expect(page.locator("#arrived")).to_be_focused()


def test_a_part_that_fails_says_so_in_its_place(visit):
    page = visit("/nobody")
    expect(page.get_by_text("This part cannot be shown right now.")).to_be_visible()
    expect(page.locator("#failure")).to_be_hidden()


def test_a_refused_form_puts_the_focus_on_what_is_wrong(visit):
    page = visit("/new?wrong=true")
    expect(page.get_by_role("alert").filter(has_text="Nothing was saved yet")).to_be_focused()
    assert page.get_by_label("E-mail").get_attribute("aria-describedby") == "f-email-error"
    page.get_by_role("link", name="An address looks like").click()
    expect(page.get_by_label("E-mail")).to_be_focused()


def test_what_was_typed_survives_the_end_of_a_session_but_not_the_work_being_done(visit, address):
    page = visit("/new")
    page.get_by_label("Name").fill("Ana Šimić")
    page.goto(f"{address}/login")
    page.goto(f"{address}/new")
    expect(page.get_by_label("Name")).to_have_value("Ana Šimić")
    page.goto(f"{address}/contacts/")
    page.goto(f"{address}/new")
    expect(page.get_by_label("Name")).to_have_value("")


def test_on_a_phone_the_rail_is_at_the_thumb_and_rows_are_cards(visit):
    page = visit("/contacts/", width=360)
    rail = page.locator(".rail").bounding_box()
    assert rail["y"] + rail["height"] == SIZES[360]
    assert all(
        link["height"] >= 44
        for link in page.locator(".rail-link").evaluate_all("all => all.map((one) => one.getBoundingClientRect())")
    )
    assert page.locator("tbody tr").first.evaluate("row => getComputedStyle(row).display") == "grid"


def test_paper_gets_the_content_only(visit):
    page = visit("/contacts/", cookies=[("theme", "dark")])
    page.emulate_media(media="print")
    expect(page.locator(".rail")).to_be_hidden()
    expect(page.locator("#search")).to_be_hidden()
    expect(page.get_by_text("as of position 48,213").first).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
