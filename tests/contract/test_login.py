"""The way in and out for staff, as a browser goes it."""

from __future__ import annotations

import re
import time
from types import SimpleNamespace
from urllib.parse import unquote

import httpx2
import pytest
from argon2 import PasswordHasher

from shared.account_tables import opened
from shared.accounts import Accounts
from shared.web import guard, login
from shared.web.app import harden, service_app
from shared.web.guard import as_cli, may
from shared.web.login import local_path
from shared.web.shell import Shell

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HTML = {"Accept": "text/html,application/xhtml+xml"}
GOOD = "correct horse battery"


@pytest.fixture
def accounts(tmp_path):
    accounts = Accounts(opened(tmp_path / "accounts.db"), hasher=CHEAP)
    yield accounts
    accounts.close()


@pytest.fixture
def password(accounts):
    return accounts.add_staff("anna", "specialist")


@pytest.fixture
def app(accounts):
    pages = guard.router()

    @pages.get("/who")
    @may("signed_in")
    async def who(request: guard.Request) -> str:
        return guard.principal(request).actor

    shell = Shell("operations")
    state = {"platform": SimpleNamespace(accounts=accounts), "shell": shell}
    root = service_app("Rapport", [login.router, pages], platform_state=state, page=shell.problem)
    return harden(root, accounts)


@pytest.fixture
async def browser(app):
    transport = httpx2.ASGITransport(app, client=("192.0.2.1", 5))
    async with httpx2.AsyncClient(transport=transport, base_url="http://rapport", headers=HTML) as browser:
        yield browser


async def sign_in(browser, password, **fields):
    return await browser.post("/login", data={"name": "anna", "password": password, **fields})


async def test_a_person_signs_in_arrives_where_they_wanted_and_signs_out(browser, password):
    sent = await browser.get("/who?q=x%26y")
    assert sent.status_code == 303
    form = await browser.get(sent.headers["location"])
    assert form.status_code == 200
    wanted = re.search(r'name="next" value="([^"]*)"', form.text).group(1).replace("&amp;", "&")
    arrived = await sign_in(browser, password, next=wanted)
    assert (arrived.status_code, arrived.headers["location"]) == (303, "/who?q=x%26y")
    assert (await browser.get("/who")).json() == "staff:anna"
    assert (await browser.get("/login?next=/who")).headers["location"] == "/who"
    left = await browser.post("/logout")
    assert left.headers["location"] == "/login"
    assert (await browser.get("/who")).status_code == 303


async def test_the_old_cookie_is_dead_on_the_server_after_signing_out(browser, password):
    await sign_in(browser, password)
    stolen = {"Cookie": f"rapport_session={browser.cookies['rapport_session']}"}
    await browser.post("/logout")
    assert (await browser.get("/who", headers=stolen)).status_code == 303


@pytest.mark.parametrize(
    ("scheme", "name", "secure"), [("http", "rapport_session", False), ("https", "__Host-rapport_session", True)]
)
async def test_the_cookie_is_for_this_site_and_not_for_scripts(browser, password, scheme, name, secure):
    answer = await browser.post(f"{scheme}://rapport/login", data={"name": "anna", "password": password})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{name}=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert ("Secure" in cookie) is secure


async def test_a_planted_session_id_is_never_taken_over(browser, accounts, password):
    planted = {"Cookie": "rapport_session=planted"}
    answer = await browser.post("/login", data={"name": "anna", "password": password}, headers=planted)
    assert "planted" not in answer.headers["set-cookie"]
    earlier = await accounts.sign_in("anna", password)
    await browser.post(
        "/login", data={"name": "anna", "password": password}, headers={"Cookie": f"rapport_session={earlier}"}
    )
    assert accounts.session(earlier) is None


async def test_a_wrong_sign_in_says_so_keeps_the_name_and_tells_nothing_else(browser, password):
    wrong = await sign_in(browser, "wrong")
    nobody = await browser.post("/login", data={"name": "nobody", "password": "wrong"})
    assert wrong.status_code == nobody.status_code == 422
    assert "Name or password is wrong." in wrong.text
    assert 'value="anna"' in wrong.text
    assert 'wrong"' not in wrong.text
    assert "set-cookie" not in wrong.headers
    assert wrong.text.replace("anna", "nobody") == nobody.text


async def test_nothing_typed_becomes_markup(browser, password):
    answer = await browser.post(
        "/login", data={"name": '"><script>alert(1)</script>', "next": "/\"'><b>", "password": "x"}
    )
    assert "<script>alert" not in answer.text
    assert "<b>" not in answer.text


async def test_the_eleventh_guess_waits_and_another_address_does_not(app, browser, password):
    for _ in range(10):
        assert (await sign_in(browser, "wrong")).status_code == 422
    slowed = await browser.post(
        "/login", data={"name": "anna", "password": password}, headers={"X-Forwarded-For": "198.51.100.7"}
    )
    assert slowed.status_code == 429
    assert int(slowed.headers["retry-after"]) >= 1
    assert "Too many tries" in slowed.text
    elsewhere = httpx2.ASGITransport(app, client=("192.0.2.2", 5))
    async with httpx2.AsyncClient(transport=elsewhere, base_url="http://rapport", headers=HTML) as owner:
        assert (await sign_in(owner, password)).status_code == 303


async def test_an_owner_with_a_session_stays_in_while_somebody_guesses(app, browser, password):
    await sign_in(browser, password)
    elsewhere = httpx2.ASGITransport(app, client=("192.0.2.66", 5))
    async with httpx2.AsyncClient(transport=elsewhere, base_url="http://rapport") as guesser:
        for _ in range(120):
            await sign_in(guesser, "wrong")
    assert (await browser.get("/who")).json() == "staff:anna"
    assert (await sign_in(browser, password)).status_code == 303


@pytest.mark.parametrize("data", [{}, {"name": "anna"}, {"password": "x"}, {"name": "a" * 500_000, "password": "\x00"}])
async def test_an_incomplete_form_is_a_wrong_sign_in(browser, password, data):
    assert (await browser.post("/login", data=data)).status_code == 422


async def test_a_page_of_another_site_cannot_sign_anybody_in_or_out(browser, password):
    evil = {"Origin": "http://evil.example"}
    assert (await browser.post("/login", data={"name": "anna", "password": password}, headers=evil)).status_code == 403
    await sign_in(browser, password)
    assert (await browser.post("/logout", headers=evil)).status_code == 403
    assert (await browser.get("/who")).status_code == 200


async def test_a_person_changes_their_password(browser, accounts, password):
    other = await accounts.sign_in("anna", password)
    await sign_in(browser, password)
    assert "New password" in (await browser.get("/password")).text
    changed = await browser.post("/password", data={"old": password, "new": GOOD, "again": GOOD})
    assert changed.status_code == 303
    assert (await browser.get("/who")).status_code == 200
    assert accounts.session(other) is None
    assert await accounts.sign_in("anna", GOOD)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"old": "wrong"}, "Name or password is wrong."),
        ({"again": "another horse"}, "is not the same as the new password"),
        ({"new": "short", "again": "short"}, "must have 8 characters or more"),
        ({"new": "password123", "again": "password123"}, "must not be among the first"),
        ({"new": "x" * 2_000, "again": "x" * 2_000}, "must be shorter"),
    ],
)
async def test_a_password_that_cannot_be_changed_stays_and_the_form_says_why(browser, accounts, password, change, told):
    await sign_in(browser, password)
    answer = await browser.post("/password", data={"old": password, "new": GOOD, "again": GOOD} | change)
    assert answer.status_code == 422
    assert told in answer.text
    assert password not in answer.text
    assert await accounts.sign_in("anna", password)


async def test_who_has_no_password_cannot_change_one(app, accounts):
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(as_cli(app, "maria")), base_url="http://rapport"
    ) as cli:
        assert (await cli.get("/password")).status_code == 403
    assert (await fetch(app, "/password")).status_code == 401


async def fetch(app, path):
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://rapport") as client:
        return await client.get(path)


@pytest.mark.parametrize("text", ["/", "/contacts/", "/a?b=c&d=%2F", "/customers/x#rhythm", "/caf\u00e9"])
def test_a_path_of_this_site_is_followed(text):
    assert local_path(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "evil",
        "/a\r\nSet-Cookie: x=y",
        "/\t/evil.example",
        " //evil.example",
        "http:/evil",
        "/a\\..\\b",
        "//[evil",
        "/\u202egpj",
    ],
)
async def test_the_way_back_never_leaves_this_site(browser, password, text):
    assert local_path(text) == "/"
    answer = await sign_in(browser, password, next=text)
    assert unquote(answer.headers["location"]) == "/"


async def test_unknown_names_take_as_long_as_known_ones(tmp_path):
    hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
    accounts = Accounts(opened(tmp_path / "timed.db"), hasher=hasher)
    accounts.add_staff("anna", "specialist")

    async def seconds(name, n):
        started = time.perf_counter()
        with pytest.raises(login.Refused):
            await accounts.sign_in(name, "wrong", f"{name}-{n}")
        return time.perf_counter() - started

    await seconds("warm", 0)
    times = [(await seconds("anna", n), await seconds("nobody", n)) for n in range(21)]  # in turn: the machine is busy
    accounts.close()
    known, unknown = (sorted(some)[10] for some in zip(*times, strict=True))
    assert abs(known - unknown) < max(known, unknown) / 2
