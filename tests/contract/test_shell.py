"""The frame around every page, in the reader's language and theme, as a browser gets it."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx2
import pytest
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import UndefinedError

from shared.web import guard, preferences
from shared.web.app import harden, service_app
from shared.web.guard import Principal, may
from shared.web.problems import Problem
from shared.web.shell import Fresh, Shell

PAGE = """{% extends "frame.html" %}
{% block title %}{{ name }}{% endblock %}
{% block content %}<p>{{ name }} {{ 123450|money("GBP") }} {{ ui.kind("household") }}</p>{% endblock %}"""


class Staff:
    def session(self, _secret):
        return Principal("maria", "staff", "analyst")

    def token(self, _secret):
        return None


@pytest.fixture
def templates(tmp_path):
    (tmp_path / "page.html").write_text(PAGE)
    (tmp_path / "part.html").write_text("<p>{{ name }}</p>")
    return tmp_path


@pytest.fixture
def shell(templates):
    return Shell("contacts", [templates], demo_notice=True)


@pytest.fixture
def app(shell):
    routes = guard.router()

    @routes.get("/page")
    @may("anyone")
    async def page(request: Request, name: str = "Ana") -> HTMLResponse:
        return shell.page(request, "page.html", name=name, fresh=Fresh(48213, 0.34, behind=name == "Behind"))

    @routes.get("/part")
    @may("anyone")
    async def part(request: Request) -> HTMLResponse:
        return shell.fragment(request, "part.html", name="<b>Ana</b>")

    @routes.get("/broken")
    @may("anyone")
    async def broken(request: Request) -> HTMLResponse:
        return shell.page(request, "page.html")

    @routes.get("/refused")
    @may("privacy_officer")
    async def refused() -> None:
        raise Problem(422)

    @routes.post("/edit")
    @may("anyone")
    async def edit() -> None:
        raise Problem(412, "Stale", "Somebody changed this since you opened it.")

    return service_app("Contacts", [routes, preferences.router], page=shell.problem)


@pytest.fixture
def browser(app):
    headers = {"accept": "text/html", "cookie": "rapport_session=x", "sec-fetch-site": "same-origin"}
    transport = httpx2.ASGITransport(harden(app, Staff()), raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://rapport", headers=headers)


async def test_a_page_has_the_frame_with_its_place_marked_and_who_is_there(browser):
    text = (await browser.get("/page")).text
    assert '<html lang="en">' in text
    assert '<a class="rail-link" href="/contacts/" aria-current="true"' in text
    assert text.count('aria-current="true" data-go') == 1
    assert "maria" in text
    assert "analyst" in text
    assert "Demo data" in text


async def test_a_page_says_how_fresh_it_is_and_when_it_is_behind(browser):
    fresh, behind = (await browser.get("/page")).text, (await browser.get("/page?name=Behind")).text
    assert "as of position 48,213" in fresh
    assert "0.3 s ago" in fresh
    assert "not caught up" not in fresh
    assert "not caught up" in behind


async def test_values_are_escaped_in_pages_and_fragments(browser):
    assert "&lt;script&gt;" in (await browser.get("/page", params={"name": "<script>"})).text
    part = (await browser.get("/part")).text
    assert part == "<p>&lt;b&gt;Ana&lt;/b&gt;</p>"


@pytest.mark.parametrize(
    ("language", "customers", "household"), [("nl", "Klanten", "Huishouden"), ("hr", "Kupci", "Kućanstvo")]
)
async def test_a_browser_gets_its_language_and_its_formats(browser, language, customers, household):
    text = (await browser.get("/page", headers={"accept-language": language})).text
    assert f'<html lang="{language}">' in text
    assert f"<span>{customers}</span>" in text
    assert household in text
    assert "1.234,50" in text


async def test_a_chosen_language_and_theme_are_kept_and_lead_back_to_the_page(browser):
    for field, value in (("language", "hr"), ("theme", "dark")):
        answer = await browser.post(f"/preferences/{field}", data={field: value, "back": "/page?name=Ana"})
        assert answer.status_code == 303
        assert answer.headers["location"] == "/page?name=Ana"
        assert "HttpOnly" in answer.headers["set-cookie"]
        browser.cookies.set({"language": "lang"}.get(field, field), value)
    browser.headers.pop("cookie")
    text = (await browser.get("/page")).text
    assert '<html lang="hr" data-bs-theme="dark">' in text


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/\\evil.example", ""])
async def test_a_choice_never_leads_to_another_host(browser, back):
    answer = await browser.post("/preferences/theme", data={"theme": "dark", "back": back})
    assert answer.headers["location"] == "/"


async def test_a_choice_that_does_not_exist_is_not_kept(browser):
    answer = await browser.post("/preferences/theme", data={"theme": "plaid", "back": "/page"})
    assert "set-cookie" not in answer.headers


async def test_a_page_comes_compressed_only_to_who_reads_that(browser):
    squeezed = await browser.get("/page", headers={"accept-encoding": "gzip"})
    plain = await browser.get("/page", headers={"accept-encoding": "identity"})
    assert squeezed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert squeezed.text == plain.text
    assert "Accept-Encoding" in plain.headers["vary"]


async def test_no_address_shows_the_way_on(browser):
    answer = await browser.get("/nowhere")
    assert answer.status_code == 404
    assert "There is nothing at this address" in answer.text
    assert answer.headers["x-correlation-id"] in answer.text


async def test_no_right_says_who_can_give_it(browser):
    answer = await browser.get("/refused")
    assert answer.status_code == 403
    assert "You are signed in as maria (analyst)." in answer.text
    assert "administrator of your installation" in answer.text


async def test_a_refused_change_says_why_and_that_nothing_was_changed(browser):
    answer = await browser.post("/edit")
    assert answer.status_code == 412
    assert "Somebody changed this since you opened it." in answer.text
    assert "Nothing was changed." in answer.text


async def test_a_failure_of_ours_says_that_work_is_safe_and_tells_no_details(browser):
    answer = await browser.get("/broken")
    assert answer.status_code == 500
    assert "Your work is safe" in answer.text
    assert answer.headers["x-correlation-id"] in answer.text
    assert "Undefined" not in answer.text


def test_a_name_that_a_template_lacks_is_an_error(shell):
    request = Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []})
    with pytest.raises(UndefinedError, match="name"):
        shell.fragment(request, "part.html")


def test_an_icon_of_the_sprite_is_silent_beside_its_text(shell):
    assert 'aria-hidden="true"' in shell.icon("users")
    assert shell.icon("users").endswith('vendor/icons.svg#users"/></svg>')


def test_an_icon_that_is_not_in_the_sprite_is_an_error(shell):
    with pytest.raises(KeyError, match="unicorn"):
        shell.icon("unicorn")


def test_every_frame_stands_in_a_file_of_the_package():
    folder = Path(guard.__file__).parent / "templates"
    assert {"frame.html", "portal_frame.html", "bare_frame.html", "login.html"} <= {
        path.name for path in folder.iterdir()
    }


async def test_an_instant_is_shown_in_the_zone_of_the_installation(templates):
    shell = Shell("contacts", [templates], zone=ZoneInfo("Europe/Amsterdam"))
    (templates / "part.html").write_text("{{ moment|instant('short') }}")
    request = Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []})
    moment = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
    assert b"09:30" in shell.fragment(request, "part.html", moment=moment).body
    assert "09:30" in shell.formats(request).instant(moment, "short")
