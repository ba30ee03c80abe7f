"""The pages of interactions as a browser gets them: the list, the forms, one interaction, and the card's timeline."""

from __future__ import annotations

import re
from uuid import UUID, uuid4

import httpx2
import pytest

from services.contacts.customer import RegisterCustomer, customer
from services.interactions.main import SERVICE
from shared.decider import Context, handle
from shared.embedded import opened
from shared.settings import Settings
from shared.web.guard import Principal

API = "/interactions/api/v1/interactions"
ANNA = UUID(int=1)
CALL = {"customer_id": str(ANNA), "kind": "phone_call", "direction": "inbound", "summary": "asks for mugs"}
TYPED = {"kind": "visit", "direction": "outbound", "when": "2026-03-02T09:30", "duration": "12", "summary": "Tea."}


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

    async def record(self, **changes):
        return await self.command("", CALL | changes)

    async def register(self, name="Anna Kovač"):
        command = RegisterCustomer(customer_id=ANNA, name=name)
        context = Context(actor="staff:maria", command_id=uuid4())
        await handle(self.embedded.platform.log, customer, ANNA, command, context=context)
        await self.record()
        await self.see("/", after=(await self.record())["position"])

    async def see(self, path, **query):
        return await self.client.get(f"/interactions{path}", params=query or None, headers={"Accept": "text/html"})

    async def fill(self, page, **typed):
        """Type into the form of a page as it is shown, and send it."""
        form = re.search(r'<form method="post" action="(/interactions/[^"]+)".*?</form>', page.text, re.DOTALL)
        assert form is not None, page.text
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form.group()))
        return await self.send(form.group(1), hidden | typed)

    async def send(self, path, form):
        return await self.client.post(path, data=form, headers={"Accept": "text/html"})

    async def events(self) -> int:
        return await self.embedded.platform.log.store.position()


@pytest.fixture
def role():
    return "specialist"


@pytest.fixture
async def browser(tmp_path, role):
    async with opened([SERVICE], Settings(data=tmp_path, timezone="Europe/Amsterdam")) as embedded:
        transport = httpx2.ASGITransport(as_staff(embedded.app, role))
        async with httpx2.AsyncClient(transport=transport, base_url="http://rapport") as client:
            yield Browser(client, embedded)


async def test_without_interactions_the_list_offers_to_record_one(browser):
    page = await browser.see("/")
    assert page.status_code == 200
    assert "No interactions yet" in page.text
    assert 'href="/interactions/new"' in page.text


async def test_the_list_shows_interactions_of_all_customers_and_leads_to_each(browser):
    await browser.register()
    other = await browser.record(customer_id=str(UUID(int=2)), kind="letter")
    page = await browser.see("/", after=other["position"])
    assert f'href="/interactions/{other["id"]}"' in page.text
    for text in ("Anna Kovač", "Customer without a name", "asks for mugs", "staff:maria"):
        assert text in page.text


async def test_the_list_is_filtered_and_says_when_nothing_fits(browser):
    recorded = await browser.record()
    after = recorded["position"]
    assert recorded["id"] in (await browser.see("/", kind="phone_call", after=after)).text
    assert "No interaction fits" in (await browser.see("/", kind="visit", after=after)).text
    ours = await browser.see("/", customer=str(ANNA), after=after)
    assert "Show all interactions" in ours.text
    assert (await browser.see("/", kind="fax")).status_code == 400


async def test_a_long_list_leads_to_its_next_page_and_keeps_the_filter(browser):
    recorded = [await browser.record() for _ in range(60)]
    first = await browser.see("/", kind="phone_call", after=recorded[-1]["position"])
    following = re.search(r'href="/interactions(/\?kind=phone_call&amp;cursor=[^"]+)"', first.text)
    assert following is not None
    second = await browser.see(following.group(1).replace("&amp;", "&"))
    row = re.compile(r'scope="row"><a href="/interactions/([^"]+)">')
    assert (len(row.findall(first.text)), len(row.findall(second.text))) == (50, 10)
    assert set(row.findall(first.text)) | set(row.findall(second.text)) == {one["id"] for one in recorded}


async def test_a_recorded_interaction_shows_at_once(browser):
    await browser.register()
    form = await browser.see("/new", customer=str(ANNA))
    assert "Anna Kovač" in form.text
    assert "Europe/Amsterdam" in form.text
    sent = await browser.fill(form, **TYPED)
    assert sent.status_code == 303
    page = await browser.client.get(sent.headers["location"])
    for text in ("Visit", "From us", "Anna Kovač", "12 minutes", "Tea.", "09:30", "by staff:maria"):
        assert text in page.text


async def test_an_interaction_without_a_time_happened_now(browser):
    await browser.register()
    sent = await browser.fill(await browser.see("/new", customer=str(ANNA)), **TYPED | {"when": "", "duration": ""})
    assert sent.status_code == 303


async def test_without_a_customer_the_form_asks_for_one(browser):
    await browser.register()
    form = await browser.see("/new")
    assert 'id="f-customer"' in form.text
    assert (await browser.fill(form, customer=f" {ANNA} ", **TYPED)).status_code == 303
    for wrong in ("", "anna", str(UUID(int=9))):
        sent = await browser.fill(form, customer=wrong, **TYPED)
        assert sent.status_code == 422
        assert 'id="f-customer-error"' in sent.text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", ""),
        ("kind", "fax"),
        ("direction", ""),
        ("when", "soon"),
        ("when", "2126-01-01T09:30"),
        ("when", "0001-01-01T00:00"),
        ("duration", "-1"),
        ("duration", "a while"),
        ("duration", "1441"),
        ("duration", "9" * 5_000),
        ("summary", " "),
        ("summary", "x" * 10_001),
    ],
)
async def test_a_wrong_field_comes_back_as_typed_with_what_to_put_right(browser, name, value):
    await browser.register()
    before = await browser.events()
    sent = await browser.fill(await browser.see("/new", customer=str(ANNA)), **TYPED | {name: value})
    assert sent.status_code == 422
    assert f'id="f-{name}-error"' in sent.text
    choosable = value != "fax"
    for kept in (TYPED | {name: value if choosable else ""}).values():
        assert kept.strip() in sent.text
    assert "Anna Kovač" in sent.text
    assert await browser.events() == before


async def test_the_same_form_twice_records_once(browser):
    await browser.register()
    before = await browser.events()
    form = {"key": "once", "customer": str(ANNA), **TYPED}
    first, second = [await browser.send("/interactions/new", form) for _ in range(2)]
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.headers["location"] == second.headers["location"]
    assert await browser.events() == before + 1
    other = await browser.send("/interactions/new", form | {"summary": "Coffee."})
    assert other.status_code == 422
    assert "sent before with other content" in other.text
    assert 'value="once"' not in other.text


async def test_a_correction_shows_at_once_beside_what_was_said_before(browser):
    recorded = await browser.record(duration_minutes=5, summary="asks for mugs, " * 100 + "and waits")
    page = await browser.see(f"/{recorded['id']}", after=recorded["position"])
    sent = await browser.fill(
        page, kind="phone_call", direction="inbound", duration="7", summary="asks for bowls", reason="misheard"
    )
    assert sent.status_code == 303
    page = await browser.client.get(sent.headers["location"])
    for text in ("Corrected", "asks for bowls", "and waits", "7 minutes", "5 minutes", "Reason: misheard"):
        assert text in page.text


@pytest.mark.parametrize(("name", "value"), [("reason", ""), ("reason", "x" * 201), ("summary", ""), ("duration", "")])
async def test_a_wrong_correction_comes_back_as_typed(browser, name, value):
    recorded = await browser.record(duration_minutes=5)
    page = await browser.see(f"/{recorded['id']}", after=recorded["position"])
    typed = {"kind": "sms", "direction": "inbound", "duration": "7", "summary": "asks for bowls", "reason": "misheard"}
    sent = await browser.fill(page, **typed | {name: value})
    assert sent.status_code == 422
    assert f'id="f-{name}-error"' in sent.text
    assert '<option value="sms" selected>' in sent.text
    assert await browser.events() == 1


async def test_a_correction_of_an_old_version_comes_back_with_how_it_stands(browser):
    recorded = await browser.record()
    body = {"summary": "asks for bowls", "reason": "misheard"}
    corrected = await browser.command(f"/{recorded['id']}/correct", body, version=0)
    await browser.see("/", after=corrected["position"])
    typed = {"kind": "visit", "direction": "inbound", "summary": "asks for cups", "reason": "was there"}
    form = {"key": str(uuid4()), "version": "0", **typed}
    sent = await browser.send(f"/interactions/{recorded['id']}/correct", form)
    assert sent.status_code == 412
    for text in ("Somebody corrected this", 'name="version" value="1"', "asks for bowls", "asks for cups"):
        assert text in sent.text


async def test_an_unknown_interaction_is_not_found(browser):
    assert (await browser.see(f"/{UUID(int=9)}")).status_code == 404
    assert (await browser.send(f"/interactions/{UUID(int=9)}/correct", {"key": "k", "version": "0"})).status_code == 404


@pytest.mark.parametrize("role", ["analyst"])
async def test_who_may_not_record_sees_no_forms_and_cannot_send_one(browser):
    page = await browser.see("/")
    assert page.status_code == 200
    assert "/interactions/new" not in page.text
    assert "/interactions/new" not in (await browser.see(f"/fragments/customers/{ANNA}/timeline")).text
    assert (await browser.see("/new")).status_code == 403
    assert (await browser.client.post("/interactions/new", data={})).status_code == 403


async def test_the_card_gets_a_timeline_with_filters_that_say_how_many_lines_they_show(browser):
    await browser.register()
    recorded = await browser.record(kind="email")
    part = await browser.see(f"/fragments/customers/{ANNA}/timeline", after=recorded["position"])
    assert part.status_code == 200
    assert "<html" not in part.text
    counted = re.findall(r'>([\w\s-]+) <span class="chip-count">(\d+)</span>', part.text)
    assert counted == [("All", "4"), ("Phone call", "2"), ("E-mail", "1"), ("Customer data", "1")]
    for text in (f'href="/interactions/{recorded["id"]}"', "by staff:maria", "Anna Kovač"):
        assert text in part.text
    only = await browser.see(f"/fragments/customers/{ANNA}/timeline", kind="email")
    assert only.text.count('<li class="happening"') == 1
    assert "Nothing of this kind" in (await browser.see(f"/fragments/customers/{ANNA}/timeline", kind="order")).text
    assert (await browser.see(f"/fragments/customers/{ANNA}/timeline", kind="fax")).status_code == 400


async def test_the_timeline_marks_what_was_corrected_later(browser):
    recorded = await browser.record()
    body = {"summary": "asks for bowls", "reason": "misheard"}
    corrected = await browser.command(f"/{recorded['id']}/correct", body, version=0)
    part = (await browser.see(f"/fragments/customers/{ANNA}/timeline", after=corrected["position"])).text
    for text in ("asks for mugs", "asks for bowls", "Reason: misheard"):
        assert text in part
    assert part.count("Corrected later") == 1


async def test_earlier_lines_follow_on_request(browser):
    recorded = [await browser.record(summary=f"call {number}.") for number in range(25)]
    part = await browser.see(f"/fragments/customers/{ANNA}/timeline", after=recorded[-1]["position"])
    following = re.search(r'hx-get="/interactions([^"]+cursor=[^"]+)"', part.text)
    assert following is not None
    more = await browser.see(following.group(1).replace("&amp;", "&"))
    assert "chip" not in more.text
    called = [int(number) for number in re.findall(r"call (\d+)\.", part.text + more.text)]
    assert called == list(range(24, -1, -1))


async def test_a_customer_with_whom_nothing_happened_gets_the_one_action(browser):
    part = await browser.see(f"/fragments/customers/{ANNA}/timeline")
    assert "Nothing has happened yet" in part.text
    assert f'href="/interactions/new?customer={ANNA}"' in part.text
