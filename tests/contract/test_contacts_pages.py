"""The pages of customers as a browser gets them: the list, the form that registers, the card and its forms."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from html import unescape
from uuid import UUID, uuid4

import httpx2
import pytest

from services.contacts import directory
from services.contacts.main import SERVICE
from shared.embedded import opened
from shared.errors import TooFarBehind
from shared.ids import imported
from shared.settings import Settings
from shared.web.guard import Principal

API = "/contacts/api/v1/customers"
LONGEST = "Boekhandel van der Wouden-Oosterhuis & Zonen Groothandel in Papier- en Schrijfwaren B.V."
ANA = {"name": "Ana Kovač", "kind": "individual", "country": "HR", "email": "ana@kovac.example"}


def as_staff(app, role):
    async def served(scope, receive, send):
        state = {**scope.get("state", {}), "principal": Principal("maria", "staff", role)}
        await app({**scope, "state": state}, receive, send)

    return served


class Browser:
    """A browser whose owner is signed in, and a program that prepares what the pages show."""

    def __init__(self, client, embedded) -> None:
        self.client = client
        self.embedded = embedded

    async def command(self, path, body, *, version=None):
        headers = {"Idempotency-Key": str(uuid4())}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        answer = await self.client.post(f"{API}{path}", json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    async def register(self, **changes):
        return await self.command("", ANA | changes)

    async def known(self, *outside_ids):
        body = {"source": "cdnow", "customers": [{"outside_id": outside_id} for outside_id in outside_ids]}
        return (await self.command("/import", body))["position"]

    async def see(self, path, **query):
        return await self.client.get(f"/contacts{path}", params=query or None, headers={"Accept": "text/html"})

    async def send(self, path, form):
        return await self.client.post(f"/contacts{path}", data=form, headers={"Accept": "text/html"})

    async def open(self, customer, act, point=0):
        """The hidden fields of a form of the card, and what stands in the others."""
        page = await self.see(f"/{customer['id']}", edit=act, point=point, after=customer["position"])
        return filled(page.text)

    async def fill(self, customer, act, *, point=0, **typed):
        return await self.send(f"/{customer['id']}/{act}", await self.open(customer, act, point) | typed)

    async def follow(self, sent):
        assert sent.status_code == 303, sent.text
        return await self.client.get(sent.headers["location"], headers={"Accept": "text/html"})


def filled(html):
    form = re.search(r'<form method="post" action="/contacts/.*?</form>', html, re.DOTALL)
    assert form is not None, html
    inputs = re.findall(r'<input [^>]*?name="(\w+)"[^>]*? value="([^"]*)"', form.group())
    areas = re.findall(r'<textarea [^>]*?name="(\w+)"[^>]*>([^<]*)<', form.group())
    chosen = re.findall(r'<select [^>]*?name="(\w+)".*?<option value="([^"]*)" selected', form.group(), re.DOTALL)
    return {name: unescape(text) for name, text in (*inputs, *areas, *chosen) if name != "internal"}


def titles(page):
    return [unescape(name) for name in re.findall(r'<a href="/contacts/[0-9a-f-]{36}">([^<]*)</a>', page.text)]


@pytest.fixture
def role():
    return "manager"


@pytest.fixture
async def browser(tmp_path, role):
    async with opened([SERVICE], Settings(data=tmp_path)) as embedded:
        transport = httpx2.ASGITransport(as_staff(embedded.app, role))
        async with httpx2.AsyncClient(transport=transport, base_url="http://rapport") as client:
            yield Browser(client, embedded)


async def test_without_customers_the_list_says_what_would_stand_there(browser):
    page = await browser.see("/")
    assert page.status_code == 200
    assert "No customers yet" in page.text
    assert "/analytics/fragments" not in page.text


async def test_the_list_names_everybody_and_leads_to_each(browser):
    await browser.register(name=LONGEST, kind="organisation", country="NL")
    after = await browser.known("23", "7")
    page = await browser.see("/", after=after)
    assert titles(page) == [LONGEST, "cdnow:7", "cdnow:23"]
    assert "3 customers" in page.text
    assert "Netherlands" in page.text


async def test_what_analytics_knows_is_fetched_once_for_all_rows_into_places_that_wait(browser):
    after = await browser.known("7", "23")
    page = (await browser.see("/", after=after, as_of="2010-12-09")).text
    [address] = re.findall(r'hx-get="(/analytics/[^"]+)"', page)
    ids = [str(imported("customer", "cdnow", number)) for number in ("7", "23")]
    assert unescape(address) == f"/analytics/fragments/customers?as_of=2010-12-09&ids={','.join(ids)}"
    for id_ in ids:
        for cell in ("segment", "due", "value", "strip"):
            assert page.count(f'id="a-{id_}-{cell}"') == 1
    assert "as of 9 December 2010" in page


async def test_the_day_chosen_among_the_insights_holds_here_unless_the_address_says_another(browser):
    after = await browser.known("7")
    browser.client.cookies.set("as_of", "2010-12-09")
    assert "fragments/customers?as_of=2010-12-09&amp;" in (await browser.see("/", after=after)).text
    assert "fragments/customers?as_of=&amp;" in (await browser.see("/", as_of="")).text
    assert (await browser.see("/", as_of="yesterday")).status_code == 422


async def test_the_list_is_searched_and_filtered_and_says_when_nobody_fits(browser):
    await browser.register()
    registered = await browser.register(name="Kovač Papir d.o.o.", kind="organisation", email=None)
    after = registered["position"]
    assert titles(await browser.see("/", q="KOVAC", after=after)) == ["Ana Kovač", "Kovač Papir d.o.o."]
    assert titles(await browser.see("/", q="ana@kovac")) == ["Ana Kovač"]
    firms = await browser.see("/", kind="organisation")
    assert titles(firms) == ["Kovač Papir d.o.o."]
    assert "1 of 2 customers fit" in firms.text
    assert "No customer fits" in (await browser.see("/", q="zzz")).text


async def test_a_long_list_leads_to_its_next_page_and_keeps_the_filter(browser):
    after = await browser.known(*(str(number) for number in range(60)))
    first = await browser.see("/", kind="individual", q="cdnow", after=after)
    following = re.search(r'href="/contacts(/\?q=cdnow&amp;kind=individual&amp;cursor=[^"]+)"', first.text)
    assert following is not None
    second = await browser.see(unescape(following.group(1)))
    assert titles(first) + titles(second) == [f"cdnow:{number}" for number in range(60)]
    assert len(titles(first)) == 50


async def test_a_customer_is_registered_shown_renamed_and_found(browser):
    form = filled((await browser.see("/new")).text)
    sent = await browser.send("/new", form | {"name": "Ana Kovač", "country": "HR", "phone": "+385 1 555 01 42"})
    card = await browser.follow(sent)
    for text in ("Ana Kovač", "Croatia", "+385 1 5550 142", "by maria", "customer since"):
        assert text in card.text
    id_, position = re.fullmatch(r"/contacts/([0-9a-f-]{36})\?after=(.+)", sent.headers["location"]).groups()
    sent = await browser.fill({"id": id_, "position": position}, "rename", name="Ana Horvat")
    assert "<h1>Ana Horvat</h1>" in (await browser.follow(sent)).text
    assert titles(await browser.see("/", q="horvat")) == ["Ana Horvat"]
    assert titles(await browser.see("/", q="kovac")) == []


async def test_a_wrong_registration_comes_back_as_typed_with_what_to_put_right(browser):
    form = filled((await browser.see("/new")).text)
    wrong = {"name": " ", "email": "ana at kovac", "phone": "12", "country": "XX", "internal": "1"}
    sent = await browser.send("/new", form | wrong)
    assert sent.status_code == 422
    for name in ("name", "email", "phone", "country"):
        assert f'id="f-{name}-error"' in sent.text
    assert 'value="ana at kovac"' in sent.text
    assert 'value="1" checked' in sent.text
    assert await browser.embedded.platform.log.store.position() == 0


async def test_the_same_registration_twice_is_one_customer(browser):
    form = filled((await browser.see("/new")).text) | {"name": "Ana"}
    first, second = [await browser.send("/new", form) for _ in range(2)]
    assert first.headers["location"] == second.headers["location"]
    other = await browser.send("/new", form | {"name": "Bo"})
    assert other.status_code == 422
    assert "sent before with other content" in other.text
    assert f'value="{form["key"]}"' not in other.text


async def test_a_card_asks_the_other_services_for_their_parts(browser):
    ana = await browser.register()
    page = (await browser.see(f"/{ana['id']}", after=ana["position"])).text
    asked = [unescape(address) for address in re.findall(r'hx-get="(/[^"]+)" hx-trigger="load"', page)]
    assert asked == [
        f"/analytics/fragments/customers/{ana['id']}/rhythm?as_of=",
        f"/interactions/fragments/customers/{ana['id']}/timeline?after={ana['position']}",
        f"/analytics/fragments/customers/{ana['id']}/loyalty?as_of=",
        f"/portal/fragments/customers/{ana['id']}/orders?after={ana['position']}",
    ]


async def test_an_alias_and_the_address_that_others_link_lead_to_the_card(browser):
    after = await browser.known("1516")
    card = f"/contacts/{imported('customer', 'cdnow', '1516')}"
    found = await browser.see("/cdnow:1516", as_of="2010-12-09", after=after)
    assert found.headers["location"].startswith(f"{card}?as_of=2010-12-09")
    assert (await browser.see(card.replace("/contacts/", "/customers/"))).headers["location"] == card


@pytest.mark.parametrize("reference", ["cdnow:1516", str(UUID(int=9)), "nobody", "a/b/c", "%2e%2e/x:1"])
async def test_who_is_unknown_is_not_found(browser, reference):
    page = await browser.see(f"/{reference}")
    assert page.status_code == 404
    assert "<html" in page.text


CHANGES = [
    ("describe", 0, {"kind": "household", "country": "NL"}, ["Household", "Netherlands"]),
    ("add", 0, {"channel": "phone", "value": "+31 20 123 4567", "purpose": "work"}, ["+31 20 123 4567", "Work"]),
    ("correct", 1, {"value": "ana@horvat.example", "purpose": "home"}, ["mailto:ana@horvat.example", "Home"]),
    (
        "address",
        0,
        {"lines": "Ilica 1\r\n\r\nAtrium", "city": "Zagreb", "country": "HR"},
        ["Ilica 1<br>Atrium"],
    ),
]


@pytest.mark.parametrize(("act", "point", "typed", "shown"), CHANGES)
async def test_a_change_shows_at_once(browser, act, point, typed, shown):
    page = await browser.follow(await browser.fill(await browser.register(), act, point=point, **typed))
    for text in shown:
        assert text in page.text


async def test_a_contact_point_is_removed(browser):
    ana = await browser.register()
    form = await browser.open(ana, "correct", 1)
    assert form["value"] == "ana@kovac.example"
    page = await browser.follow(await browser.send(f"/{ana['id']}/remove", form))
    assert "ana@kovac.example" not in page.text


WRONG = [
    ("rename", 0, {"name": "x" * 201}, "name"),
    ("describe", 0, {"kind": "robot"}, "kind"),
    ("add", 0, {"channel": "email", "value": "ana at kovac"}, "value"),
    ("add", 0, {"channel": "phone", "value": "12"}, "value"),
    ("correct", 1, {"value": "12"}, "value"),
    ("address", 0, {"lines": "\r\n", "city": "Zagreb"}, "lines"),
    ("address", 0, {"lines": "Ilica 1", "city": ""}, "city"),
]


@pytest.mark.parametrize(("act", "point", "typed", "field"), WRONG)
async def test_a_wrong_change_comes_back_as_typed_with_what_to_put_right(browser, act, point, typed, field):
    ana = await browser.register()
    sent = await browser.fill(ana, act, point=point, **typed)
    assert sent.status_code == 422
    assert re.findall(r'id="f-(\w+)-error"', sent.text) == [field]
    again = filled(sent.text)
    assert {name: again[name] for name in typed if name not in {"kind", "lines"}} == {
        name: text for name, text in typed.items() if name not in {"kind", "lines"}
    }
    assert await browser.embedded.platform.log.store.position() == ana["version"] + 1


async def test_a_form_on_an_old_version_comes_back_as_typed_and_says_what_changed(browser):
    ana = await browser.register()
    form = await browser.open(ana, "rename") | {"name": "Ana Horvat"}
    await browser.command(f"/{ana['id']}/describe", {"country": "NL"}, version=ana["version"])
    sent = await browser.send(f"/{ana['id']}/rename", form)
    assert sent.status_code == 412
    assert 'value="Ana Horvat"' in sent.text
    assert "Country is now: Netherlands" in sent.text
    assert "Name is now" not in sent.text
    again = await browser.send(f"/{ana['id']}/rename", filled(sent.text))
    assert "<h1>Ana Horvat</h1>" in (await browser.follow(again)).text


async def test_a_form_sent_twice_changes_once_and_other_content_under_its_key_is_refused(browser):
    ana = await browser.register()
    form = await browser.open(ana, "rename") | {"name": "Ana Horvat"}
    first, second = [await browser.send(f"/{ana['id']}/rename", form) for _ in range(2)]
    assert first.headers["location"] == second.headers["location"]
    other = await browser.send(f"/{ana['id']}/rename", form | {"name": "Bo"})
    assert other.status_code == 422
    assert filled(other.text)["key"] != form["key"]


async def test_a_contact_point_that_is_gone_cannot_be_corrected(browser):
    ana = await browser.register()
    assert 'id="edit"' not in (await browser.see(f"/{ana['id']}", edit="correct", point=2, after=ana["position"])).text
    form = await browser.open(ana, "correct", 1)
    gone = await browser.command(f"/{ana['id']}/contact-points/1/remove", None, version=ana["version"])
    form |= {"version": str(gone["version"]), "value": "ana@horvat.example"}
    sent = await browser.send(f"/{ana['id']}/correct", form)
    assert sent.status_code == 422
    assert "no such contact point" in sent.text


async def test_a_card_that_cannot_be_shown_yet_says_that_nothing_is_lost(browser, monkeypatch):
    registered = await browser.register()

    async def never(family, _wanted, **_):
        assert family is directory.family
        raise TooFarBehind(2, 1)

    for wait in ("reached", "shows"):
        monkeypatch.setattr(browser.embedded.platform.models, wait, never)
    behind = await browser.see(f"/{registered['id']}", after=registered["position"])
    assert "not caught up with your last change" in behind.text
    unseen = await browser.see(f"/{UUID(int=9)}", after=registered["position"])
    assert unseen.status_code == 202
    assert "The customer is stored" in unseen.text


@pytest.mark.parametrize("role", ["analyst"])
async def test_who_may_not_change_sees_no_forms_and_cannot_send_one(browser):
    after = await browser.known("7")
    id_ = imported("customer", "cdnow", "7")
    page = await browser.see(f"/{id_}", edit="rename", after=after)
    assert page.status_code == 200
    assert 'href="?edit=' not in page.text
    assert 'method="post" action="/contacts' not in page.text
    assert 'href="/contacts/new"' not in (await browser.see("/")).text
    assert (await browser.see("/new")).status_code == 403
    assert (await browser.send(f"/{id_}/rename", {})).status_code == 403


@pytest.mark.parametrize("role", ["admin"])
async def test_an_absorbed_customer_leads_to_the_one_who_counts_for_it(browser):
    ana, bo = await browser.register(), await browser.register(name="Bo")
    merged = await browser.command(f"/{ana['id']}/merge", {"survivor": bo["id"]}, version=1)
    page = await browser.see(f"/{ana['id']}", after=merged["position"], as_of="2010-12-09")
    assert page.status_code == 307
    assert page.headers["location"].startswith(f"/contacts/{bo['id']}?after=")
    assert page.headers["location"].endswith("as_of=2010-12-09")


@pytest.mark.parametrize("role", ["admin"])
async def test_the_card_of_an_erased_customer_says_so_and_the_list_has_it_no_more(browser):
    ana = await browser.register()
    form = await browser.open(ana, "rename")
    [done] = await browser.command(f"/{ana['id']}/erase", {"reason": "request"}, version=1)
    for page in (
        await browser.see(f"/{ana['id']}", after=done["position"]),
        await browser.send(f"/{ana['id']}/rename", form | {"name": "Ana Horvat"}),
    ):
        assert page.status_code == 410
        assert "This customer was erased" in page.text
        assert str(datetime.now(UTC).year) in page.text
        assert "Ana" not in page.text
    assert "Ana" not in (await browser.see("/")).text


async def test_a_card_without_its_key_is_shown_without_what_was_personal(tmp_path):
    """As in a read model that is being built and has not come to the erasure yet."""

    def at(embedded):
        transport = httpx2.ASGITransport(as_staff(embedded.app, "manager"))
        return httpx2.AsyncClient(transport=transport, base_url="http://rapport")

    async with opened([SERVICE], Settings(data=tmp_path)) as embedded, at(embedded) as client:
        ana = await Browser(client, embedded).register(phone="+385 1 555 01 42")
        embedded.platform.log.keyring.destroy(f"customer-{ana['id']}")
    shutil.rmtree(tmp_path / "read")
    async with opened([SERVICE], Settings(data=tmp_path)) as embedded, at(embedded) as client:
        page = await Browser(client, embedded).see(f"/{ana['id']}", after=ana["position"])
    assert page.status_code == 200
    assert page.text.count("[erased]") >= 3
    assert "tel:" not in page.text
