"""A day at the desk in a real browser: register somebody, edit at the same time as a colleague, record a call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, sync_playwright
from product import serving

pytestmark = pytest.mark.browser
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}
PATIENCE = 15_000
"""Milliseconds that anything on a page may take on a busy machine."""
LONGEST = "Boekhandel van der Wouden-Oosterhuis & Zonen Groothandel in Papier- en Schrijfwaren B.V."


class Desk(NamedTuple):
    """A browser whose owner is signed in, at one address."""

    context: BrowserContext
    url: str

    def open(self, path: str) -> Page:
        page = self.context.new_page()
        page.goto(f"{self.url}{path}")
        page.wait_for_load_state("networkidle")
        return page

    def register(self, name: str, email: str = "") -> Page:
        page = self.open("/contacts/new")
        page.fill("input[name=name]", name)
        page.fill("input[name=email]", email)
        send(page)
        assert page.locator("h1").inner_text() == name
        return page


def send(page: Page) -> None:
    with page.expect_navigation():
        page.locator("main form[method=post] button.btn-primary").first.click()
    page.wait_for_load_state("networkidle")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, chromium: Path) -> Iterator[Desk]:
    data = tmp_path_factory.mktemp("desk") / "data"
    with serving(data) as (url, password), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(f"{url}/login")
        page.fill("input[name=name]", "admin")
        page.fill("input[type=password]", password)
        with page.expect_navigation():
            page.click("main form button")
        yield Desk(context, url)
        browser.close()


def test_who_is_registered_stands_on_a_card_with_the_timeline(desk: Desk):
    card = desk.register("Zoë Đurđević", "zoe@durdevic.example")
    assert "zoe@durdevic.example" in card.locator("#about").inner_text()
    assert "E-mail address added" in card.locator("#timeline").inner_text()
    listed = desk.open("/contacts/?q=durdevic")
    assert listed.locator("tbody tr").count() == 1


def test_a_wrong_field_is_named_beside_it_and_nothing_typed_is_lost(desk: Desk):
    page = desk.open("/contacts/new")
    page.fill("input[name=name]", "Ana")
    page.fill("input[name=phone]", "555")
    send(page)
    assert page.locator("#f-phone-error").is_visible()
    assert (page.input_value("input[name=name]"), page.input_value("input[name=phone]")) == ("Ana", "555")


def test_of_two_who_edit_the_second_sees_what_the_first_changed(desk: Desk):
    address = desk.register("Ana Horvat").url.split("?")[0].removeprefix(desk.url)
    first, second = desk.open(f"{address}?edit=rename"), desk.open(f"{address}?edit=rename")
    first.fill("#about input[name=name]", "Ana First")
    send(first)
    second.fill("#about input[name=name]", "Ana Second")
    send(second)
    assert second.input_value("#about input[name=name]") == "Ana Second"
    assert "Name is now: Ana First" in second.locator("#about").inner_text()
    send(second)
    assert second.locator("h1").inner_text() == "Ana Second"


def test_a_call_is_recorded_with_a_customer_found_by_name(desk: Desk):
    desk.register("Łukasz Šarić")
    desk.register("Łukasz Müller")
    page = desk.open("/interactions/new")
    page.locator("#f-customer").press_sequentially("lukasz")
    page.get_by_role("radio", name="Łukasz Šarić").check()
    page.select_option("select[name=kind]", "phone_call")
    page.select_option("select[name=direction]", "inbound")
    page.fill("textarea[name=summary]", "Asked for delivery before the 15th.")
    send(page)
    with page.expect_navigation():
        page.get_by_role("link", name="Łukasz Šarić").click()
    page.get_by_text("Asked for delivery before the 15th.").wait_for()


def test_a_form_that_comes_back_still_offers_those_who_were_found(desk: Desk):
    desk.register("Tijana Novak")
    desk.register("Tijana Jansen")
    page = desk.open("/interactions/new")
    page.fill("#f-customer", "tijana")
    page.get_by_role("radio", name="Tijana Novak").wait_for()
    send(page)
    page.get_by_role("radio", name="Tijana Novak").wait_for()
    assert page.input_value("#f-customer") == "tijana"


@pytest.mark.parametrize(
    ("width", "scheme"),
    [(360, "light"), *(pytest.param(*look, marks=pytest.mark.long) for look in ((768, "dark"), (1440, "light")))],
)
def test_pages_fit_every_screen_and_are_accessible(desk: Desk, width: int, scheme: str):
    longest = desk.register(LONGEST).url.split("?")[0].removeprefix(desk.url)
    for path in ("/contacts/", longest, f"{longest}?edit=address", "/contacts/new", "/interactions/new"):
        page = desk.open(path)
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        found = Axe().run(page, options=RULES).response["violations"]
        assert [(one["id"], one["nodes"][0]["target"]) for one in found] == [], path
        page.close()
