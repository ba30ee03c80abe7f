"""The portal's pages as a browser gets them: lists, an order with its forms, the catalogue, and the card's part."""

from __future__ import annotations

import re
from uuid import UUID, uuid4

import httpx2
import pytest

from services.contacts.customer import RegisterCustomer, customer
from services.portal.main import SERVICE
from shared.decider import Context, handle
from shared.embedded import opened
from shared.settings import Settings
from shared.web.guard import Principal

API = "/portal/api/v1"
ANNA = UUID(int=1)
MUG = {"code": "MUG", "description": "Red mug", "quantity": 2, "unit_price": "4.50"}


def as_specialist(app, role="specialist"):
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

    async def place(self, **changes):
        return await self.command("/orders", {"customer_id": str(ANNA), "currency": "EUR", "lines": [MUG]} | changes)

    async def see(self, path, **query):
        return await self.client.get(f"/portal{path}", params=query or None, headers={"Accept": "text/html"})

    async def fill(self, placed, act, **typed):
        """Type into a form of the order's page as it is shown, and send it."""
        page = await self.see(f"/orders/{placed['id']}", after=placed["position"])
        form = re.search(rf'<form method="post" action="[^"]*/{act}".*?</form>', page.text, re.DOTALL)
        assert form is not None, page.text
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form.group()))
        return await self.send(placed, act, hidden | typed)

    async def send(self, placed, act, form):
        return await self.client.post(
            f"/portal/orders/{placed['id']}/{act}", data=form, headers={"Accept": "text/html"}
        )


@pytest.fixture
def role():
    return "specialist"


@pytest.fixture
async def browser(tmp_path, role):
    async with opened([SERVICE], Settings(data=tmp_path)) as embedded:
        transport = httpx2.ASGITransport(as_specialist(embedded.app, role))
        async with httpx2.AsyncClient(transport=transport, base_url="http://rapport") as client:
            yield Browser(client, embedded)


async def test_without_orders_the_list_says_what_would_stand_there(browser):
    page = await browser.see("/orders")
    assert page.status_code == 200
    assert "No orders yet" in page.text


async def test_the_list_shows_orders_and_leads_to_each(browser):
    placed = await browser.place(number="1001")
    page = await browser.see("/orders", after=placed["position"])
    assert f'href="/portal/orders/{placed["id"]}"' in page.text
    assert "€9.00" in page.text
    assert "Customer without a name" in page.text


async def test_the_list_is_filtered_and_says_when_nothing_fits(browser):
    placed = await browser.place(number="1001")
    after = placed["position"]
    assert "No order fits" in (await browser.see("/orders", number="1002", after=after)).text
    assert "No order fits" in (await browser.see("/orders", status="cancelled", after=after)).text
    assert ">1001<" in (await browser.see("/orders", number=" 1001 ", after=after)).text
    ours = await browser.see("/orders", customer=str(ANNA), after=after)
    assert ">1001<" in ours.text
    assert "Show all orders" in ours.text


@pytest.mark.parametrize("role", ["manager"])
async def test_a_long_list_leads_to_its_next_page_and_keeps_the_filter(browser):
    lines = [{"code": "A", "quantity": 1, "amount_minor": 1}]
    orders = [
        {"number": str(number), "customer": "7", "placed_at": "2009-12-01T07:45:00Z", "lines": lines}
        for number in range(60)
    ]
    body = {"source": "shop", "timezone": "UTC", "currency": "EUR", "orders": orders}
    taken = await browser.command("/orders/import", body)
    first = await browser.see("/orders", status="placed", after=taken["position"])
    following = re.search(r'href="/portal(/orders\?status=placed&amp;cursor=[^"]+)"', first.text)
    assert following is not None
    second = await browser.see(following.group(1).replace("&amp;", "&"))
    number = re.compile(r'<th scope="row"><a href="[^"]*">(\d+)</a>')
    assert (len(number.findall(first.text)), len(number.findall(second.text))) == (50, 10)
    assert set(number.findall(first.text)) | set(number.findall(second.text)) == {str(number) for number in range(60)}


async def test_an_order_shows_its_lines_its_facts_and_its_history(browser):
    placed = await browser.place(number="1001", lines=[MUG, {"code": "BOWL", "quantity": 1, "amount_minor": 1200}])
    page = await browser.see(f"/orders/{placed['id']}", after=placed["position"])
    for text in ("Order 1001", "Red mug", "MUG", "4.50", "€9.00", "BOWL", "€12.00", "€21.00", "by staff:maria"):
        assert text in page.text


async def test_an_order_names_its_credit_notes(browser):
    placed = await browser.place()
    note = {"customer_id": str(ANNA), "order_id": placed["id"], "number": "C1", "currency": "EUR", "lines": [MUG]}
    issued = await browser.command("/credit-notes", note)
    assert "Credit note C1" in (await browser.see(f"/orders/{placed['id']}", after=issued["position"])).text


async def test_an_unknown_order_is_not_found(browser):
    assert (await browser.see(f"/orders/{UUID(int=9)}")).status_code == 404


async def test_a_refund_shows_at_once(browser):
    placed = await browser.place()
    sent = await browser.fill(placed, "refund", amount="3.50", refund_reason="a crack")
    assert sent.status_code == 303
    page = await browser.client.get(sent.headers["location"])
    for text in ("€3.50 refunded", "a crack", "Partly refunded", "€5.50"):
        assert text in page.text


@pytest.mark.parametrize("amount", ["", "abc", "0", "-1", "9.01", "1.234", "1e3", "NaN", "9" * 30])
async def test_a_wrong_amount_comes_back_as_typed_with_what_to_put_right(browser, amount):
    placed = await browser.place()
    sent = await browser.fill(placed, "refund", amount=amount, refund_reason="a crack")
    assert sent.status_code == 422
    assert f'value="{amount}"' in sent.text
    assert 'value="a crack"' in sent.text
    assert 'id="f-amount-error"' in sent.text
    assert await browser.embedded.platform.log.store.position() == 1


async def test_amounts_are_typed_as_in_the_readers_language(browser):
    placed = await browser.place()
    browser.client.cookies.set("lang", "nl")
    assert (await browser.fill(placed, "refund", amount="3.50")).status_code == 422
    assert (await browser.fill(placed, "refund", amount="3,50")).status_code == 303


async def test_a_long_reason_is_refused_beside_its_field(browser):
    placed = await browser.place()
    sent = await browser.fill(placed, "refund", amount="1.00", refund_reason="x" * 201)
    assert sent.status_code == 422
    assert 'id="f-refund_reason-error"' in sent.text


async def test_the_same_form_twice_refunds_once(browser):
    placed = await browser.place()
    await browser.see("/orders", after=placed["position"])
    form = {"key": "once", "version": "0", "amount": "1.00"}
    first, second = [await browser.send(placed, "refund", form) for _ in range(2)]
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.headers["location"] == second.headers["location"]
    assert await browser.embedded.platform.log.store.position() == 2
    other = await browser.send(placed, "refund", form | {"amount": "2.00"})
    assert other.status_code == 422
    assert "sent before with other content" in other.text
    assert 'value="once"' not in other.text


async def test_a_form_on_an_old_version_comes_back_with_the_order_as_it_stands(browser):
    placed = await browser.place()
    form = {"key": str(uuid4()), "version": "0", "amount": "1.00"}
    changed = await browser.command(f"/orders/{placed['id']}/refund", {"amount_minor": 100}, version=0)
    await browser.see("/orders", after=changed["position"])
    sent = await browser.send(placed, "refund", form)
    assert sent.status_code == 412
    assert "has changed since you saw it" in sent.text
    assert 'name="version" value="1"' in sent.text
    assert 'value="1.00"' in sent.text


async def test_a_cancellation_asks_for_the_number_of_the_order(browser):
    placed = await browser.place(number="1001")
    wrong = await browser.fill(placed, "cancel", confirmation="1002", cancel_reason="ordered twice")
    assert wrong.status_code == 422
    assert 'id="f-confirmation-error"' in wrong.text
    assert 'value="ordered twice"' in wrong.text
    right = await browser.fill(placed, "cancel", confirmation="1001", cancel_reason="ordered twice")
    page = await browser.client.get(right.headers["location"])
    assert "ordered twice" in page.text
    assert '<form method="post" action="/portal/orders' not in page.text


async def test_a_cancelled_order_takes_no_form(browser):
    placed = await browser.place(number="1001")
    gone = await browser.command(f"/orders/{placed['id']}/cancel", {}, version=0)
    await browser.see("/orders", after=gone["position"])
    form = {"key": str(uuid4()), "version": "1", "confirmation": "1001"}
    sent = await browser.send(placed, "cancel", form)
    assert sent.status_code == 409
    assert "This order is cancelled." in sent.text


@pytest.mark.parametrize("role", ["analyst"])
async def test_who_may_not_change_sees_no_forms_and_cannot_send_one(browser):
    lines = [{"code": "A", "quantity": 1, "amount_minor": 100}]
    order = {"number": "1", "customer": "7", "placed_at": "2009-12-01T07:45:00Z", "lines": lines}
    body = {"source": "shop", "timezone": "UTC", "currency": "EUR", "orders": [order]}
    taken = await browser.command("/orders/import", body)
    listed = await browser.see("/orders", after=taken["position"])
    path = re.search(r'href="/portal(/orders/[0-9a-f-]{36})"', listed.text).group(1)
    page = await browser.see(path)
    assert page.status_code == 200
    assert 'action="/portal/orders' not in page.text
    assert (await browser.client.post(f"/portal{path}/cancel", data={})).status_code == 403


async def test_the_catalogue_shows_prices_and_what_is_no_longer_offered(browser):
    assert "No products here" in (await browser.see("/products")).text
    mug = await browser.command("/products", {"code": "MUG", "name": "Red mug", "description": "Holds 0.3 l"})
    await browser.command(f"/products/{mug['id']}/price", {"currency": "EUR", "amount_minor": 450}, version=0)
    bowl = await browser.command("/products", {"code": "BOWL", "name": "Bowl"})
    gone = await browser.command(f"/products/{bowl['id']}/delist", {}, version=0)
    page = (await browser.see("/products", after=gone["position"])).text
    for text in ("Red mug", "Holds 0.3 l", "€4.50", "No price yet", "No longer offered"):
        assert text in page
    assert ">Bowl" not in (await browser.see("/products", offered="true")).text


async def test_the_card_gets_the_last_orders_and_the_totals(browser):
    for number in range(6):
        placed = await browser.place(number=str(number))
    part = await browser.see(f"/fragments/customers/{ANNA}/orders", after=placed["position"])
    assert part.status_code == 200
    assert "<html" not in part.text
    assert "6 orders" in part.text
    assert "€54.00" in part.text
    assert len(re.findall(r'<th scope="row">', part.text)) == 5
    assert "No orders yet" in (await browser.see(f"/fragments/customers/{UUID(int=2)}/orders")).text


async def test_a_customer_is_called_by_the_name_that_contacts_publishes(browser):
    command = RegisterCustomer(customer_id=ANNA, name="Anna Kovač")
    context = Context(actor="staff:maria", command_id=uuid4())
    await handle(browser.embedded.platform.log, customer, ANNA, command, context=context)
    placed = await browser.place()
    for path in ("/orders", f"/orders/{placed['id']}"):
        assert "Anna Kovač" in (await browser.see(path, after=placed["position"])).text


async def test_the_portal_begins_with_the_orders(browser):
    assert (await browser.see("/")).headers["location"] == "/portal/orders"
