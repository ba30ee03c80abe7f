"""Orders, credit notes, products and imports over HTTP, through the app as it is served."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import httpx2
import pytest

from services.portal.main import SERVICE
from shared.embedded import opened
from shared.ids import imported
from shared.settings import Settings

API = "/portal/api/v1"
ANNA = str(UUID(int=1))
MUG = {"code": "MUG", "description": "Red mug", "quantity": 2, "unit_price": "4.50"}


class Portal:
    """The portal as the owner of the installation uses it."""

    def __init__(self, client, embedded) -> None:
        self.client = client
        self.embedded = embedded

    async def post(self, path, body, *, key=None, version=None):
        headers = {"Idempotency-Key": key or str(uuid4())}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        return await self.client.post(f"{API}{path}", json=body, headers=headers)

    async def get(self, path, **query):
        return await self.client.get(f"{API}{path}", params=query)

    async def place(self, **changes):
        answer = await self.post("/orders", {"customer_id": ANNA, "currency": "EUR", "lines": [MUG]} | changes)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def events(self) -> int:
        return await self.embedded.platform.log.store.position()


@pytest.fixture
async def portal(tmp_path):
    async with opened([SERVICE], Settings(data=tmp_path)) as embedded:
        transport = httpx2.ASGITransport(embedded.for_cli())
        async with httpx2.AsyncClient(transport=transport, base_url="http://rapport") as client:
            yield Portal(client, embedded)


async def test_a_placed_order_is_read_back_by_its_token(portal):
    placed = await portal.place(number="1001")
    shown = await portal.get(f"/orders/{placed['id']}", after=placed["position"])
    assert shown.headers["etag"] == '"0"'
    order = shown.json()
    assert (order["number"], order["total_minor"], order["status"]) == ("1001", 900, "placed")
    assert order["lines"] == [{"ordinal": 1, **MUG, "amount_minor": 900}]
    assert [happening["what"] for happening in order["history"]] == ["placed"]


async def test_an_order_without_a_number_gets_one(portal):
    placed = await portal.place()
    order = (await portal.get(f"/orders/{placed['id']}", after=placed["position"])).json()
    assert len(order["number"]) == 11


async def test_the_same_key_gives_the_same_answer_and_one_event(portal):
    body = {"customer_id": ANNA, "currency": "EUR", "lines": [MUG]}
    answers = await asyncio.gather(*(portal.post("/orders", body, key="once") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert await portal.events() == 1


async def test_the_same_key_with_another_order_is_refused(portal):
    body = {"customer_id": ANNA, "currency": "EUR", "lines": [MUG]}
    await portal.post("/orders", body, key="once")
    answer = await portal.post("/orders", body | {"currency": "GBP"}, key="once")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


async def test_one_number_of_a_source_is_one_order(portal):
    placed = await portal.place(number="1001", source="shop")
    assert placed["id"] == str(imported("order", "shop", "1001"))
    again = await portal.post(
        "/orders", {"customer_id": ANNA, "currency": "EUR", "lines": [MUG], "number": "1001", "source": "shop"}
    )
    assert again.status_code == 409
    assert again.json()["errors"][0]["field"] == "number"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"currency": "EURO"}, "currency"),
        ({"lines": []}, "lines"),
        ({"lines": [MUG | {"quantity": 0}]}, "lines[0].quantity"),
        ({"lines": [MUG, MUG | {"amount_minor": 1}]}, "lines[1].amount_minor"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"occurred_at": "2026-03-02"}, "occurred_at"),
        ({"source": "a/b"}, "source"),
        ({"discount": 1}, "discount"),
    ],
)
async def test_what_is_wrong_with_an_order_is_named(portal, change, field):
    answer = await portal.post("/orders", {"customer_id": ANNA, "currency": "EUR", "lines": [MUG]} | change)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert await portal.events() == 0


async def test_a_command_without_a_key_is_refused(portal):
    answer = await portal.client.post(f"{API}/orders", json={})
    assert answer.status_code == 400


async def test_an_edit_names_the_version_that_it_saw(portal):
    placed = await portal.place()
    path = f"/orders/{placed['id']}/refund"
    assert (await portal.post(path, {"amount_minor": 100})).status_code == 428
    assert (await portal.post(path, {"amount_minor": 100}, version=0)).status_code == 200
    stale = await portal.post(path, {"amount_minor": 100}, version=0)
    assert stale.status_code == 412
    assert stale.json()["current_version"] == 1


async def test_a_refund_and_a_cancellation_show_in_the_order(portal):
    placed = await portal.place()
    await portal.post(f"/orders/{placed['id']}/refund", {"amount_minor": 100, "reason": "a crack"}, version=0)
    end = (await portal.post(f"/orders/{placed['id']}/cancel", {"reason": "broken"}, version=1)).json()
    order = (await portal.get(f"/orders/{placed['id']}", after=end["position"])).json()
    assert (order["status"], order["refunded_minor"]) == ("cancelled", 100)
    assert [happening["reason"] for happening in order["history"]] == [None, "a crack", "broken"]


async def test_more_than_is_left_cannot_be_refunded(portal):
    placed = await portal.place()
    answer = await portal.post(f"/orders/{placed['id']}/refund", {"amount_minor": 901}, version=0)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "amount_minor"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"/orders/{UUID(int=9)}/cancel", {}),
        (f"/orders/{UUID(int=9)}/refund", {"amount_minor": 1}),
        (f"/products/{UUID(int=9)}/price", {"currency": "EUR", "amount_minor": 1}),
        (f"/products/{UUID(int=9)}/delist", {}),
    ],
)
async def test_what_does_not_exist_cannot_be_changed(portal, path, body):
    assert (await portal.post(path, body, version=0)).status_code == 404


@pytest.mark.parametrize("path", ["/orders", "/credit-notes", "/products"])
async def test_what_does_not_exist_is_not_found(portal, path):
    assert (await portal.get(f"{path}/{UUID(int=9)}")).status_code == 404


async def test_orders_are_listed_newest_first_in_pages(portal):
    placed = [await portal.place() for _ in range(5)]
    first = (await portal.get("/orders", limit=3, after=placed[-1]["position"])).json()
    second = (await portal.get("/orders", limit=3, cursor=first["next"])).json()
    shown = [order["id"] for order in first["orders"] + second["orders"]]
    assert shown == [order["id"] for order in reversed(placed)]
    assert second["next"] is None


async def test_orders_are_filtered(portal):
    await portal.place()
    other = await portal.place(customer_id=str(UUID(int=2)), number="7")
    for query in ({"customer": str(UUID(int=2))}, {"number": "7"}):
        page = (await portal.get("/orders", after=other["position"], **query)).json()
        assert [order["id"] for order in page["orders"]] == [other["id"]]
    assert (await portal.get("/orders", status="cancelled")).json()["orders"] == []
    assert (await portal.get("/orders", status="lost")).status_code == 422


async def test_a_credit_note_is_issued_and_listed(portal):
    body = {"customer_id": ANNA, "currency": "EUR", "lines": [MUG], "number": "C1"}
    issued = (await portal.post("/credit-notes", body)).json()
    shown = await portal.get(f"/credit-notes/{issued['id']}", after=issued["position"])
    assert shown.headers["etag"] == '"0"'
    assert (shown.json()["number"], shown.json()["total_minor"]) == ("C1", 900)
    listed = (await portal.get("/credit-notes", customer=ANNA)).json()
    assert [note["id"] for note in listed["credit_notes"]] == [issued["id"]]
    assert (await portal.post("/credit-notes", body)).status_code == 409


async def test_a_product_is_listed_priced_and_delisted(portal):
    listed = (await portal.post("/products", {"code": "MUG", "name": "Red mug"})).json()
    path = f"/products/{listed['id']}"
    priced = await portal.post(f"{path}/price", {"currency": "EUR", "amount_minor": 450}, version=0)
    again = await portal.post(f"{path}/price", {"currency": "EUR", "amount_minor": 450}, version=1)
    assert (priced.json()["version"], again.json()["version"]) == (1, 1)
    gone = (await portal.post(f"{path}/delist", {}, version=1)).json()
    shown = await portal.get(path, after=gone["position"])
    assert shown.headers["etag"] == '"2"'
    assert (shown.json()["prices"], shown.json()["offered"]) == ({"EUR": 450}, False)
    assert (await portal.get("/products", offered=True)).json() == {"products": [], "next": None}
    assert len((await portal.get("/products", offered=False)).json()["products"]) == 1


async def test_a_product_is_put_into_a_category_and_found_by_it(portal):
    listed = (await portal.post("/products", {"code": "MUG", "name": "Red mug", "category": "Cups"})).json()
    assert listed["version"] == 1
    moved = await portal.post(f"/products/{listed['id']}/category", {"category": "Mugs"}, version=1)
    page = (await portal.get("/products", category="Mugs", after=moved.json()["position"])).json()
    assert [(product["code"], product["category"]) for product in page["products"]] == [("MUG", "Mugs")]
    assert (await portal.get("/products", category="Cups")).json()["products"] == []


async def test_products_of_another_system_are_taken_over_and_the_same_again_is_unchanged(portal):
    mug, bowl = {"code": "MUG", "name": "Red mug", "category": "Cups"}, {"code": "BOWL", "name": "Bowl"}
    sent = {"source": "till", "products": [mug, bowl]}
    first = (await portal.post("/products/import", sent)).json()
    assert [(each["status"], each["events"]) for each in first["results"]] == [("accepted", 2), ("accepted", 1)]
    again = (await portal.post("/products/import", sent)).json()
    assert {each["status"] for each in again["results"]} == {"unchanged"}
    changed = {"source": "till", "products": [{**mug, "category": "Mugs"}]}
    last = (await portal.post("/products/import", changed)).json()
    assert last["results"] == [{"status": "accepted", "events": 1, "reason": None}]
    page = (await portal.get("/products", after=last["position"])).json()
    assert [(each["source"], each["category"]) for each in page["products"]] == [("till", None), ("till", "Mugs")]


def batch(**changes):
    order = {"number": "489434", "customer": "13085", "placed_at": "2009-12-01T07:45:00+00:00", "lines": [MUG]}
    note = {"number": "C489449", "customer": "16321", "issued_at": "2009-12-01T10:33:00+00:00", "lines": [MUG]}
    return {
        "source": "online-retail",
        "timezone": "Europe/London",
        "currency": "GBP",
        "orders": [order],
        "credit_notes": [note],
    } | changes


async def test_an_import_is_taken_over_once(portal):
    first = (await portal.post("/orders/import", batch())).json()
    assert [result["status"] for result in first["orders"] + first["credit_notes"]] == ["accepted"] * 2
    second = (await portal.post("/orders/import", batch())).json()
    unchanged = {"status": "unchanged", "events": 0, "reason": None}
    assert (second["orders"], second["credit_notes"]) == ([unchanged], [unchanged])
    assert second["position"] == first["position"]
    assert await portal.events() == 2
    order = (
        await portal.get(f"/orders/{imported('order', 'online-retail', '489434')}", after=first["position"])
    ).json()
    assert order["customer_id"] == str(imported("customer", "online-retail", "13085"))
    assert (order["business_day"], order["placed_at"]) == ("2009-12-01", "2009-12-01T07:45:00Z")


async def test_the_same_number_with_other_content_is_rejected_and_the_rest_is_taken(portal):
    await portal.post("/orders/import", batch())
    [order] = batch()["orders"]
    changed = batch(orders=[order | {"lines": [MUG, MUG]}, order | {"number": "489435"}], credit_notes=[])
    results = (await portal.post("/orders/import", changed)).json()["orders"]
    assert results[0] == {"status": "rejected", "events": 0, "reason": "already imported with other content"}
    assert results[1]["status"] == "accepted"


async def test_a_rejected_order_says_why(portal):
    [order] = batch()["orders"]
    wrong = batch(orders=[order | {"lines": []}], credit_notes=[])
    answer = (await portal.post("/orders/import", wrong)).json()
    assert answer["orders"][0]["reason"] == "lines: needs at least one line"
    assert answer["position"] is None


async def test_an_order_that_no_event_carries_is_rejected_with_what_to_do(portal):
    [order] = batch()["orders"]
    long = {"code": "É" * 64, "description": "€" * 200, "quantity": 1, "amount_minor": 1}
    answer = (await portal.post("/orders/import", batch(orders=[order | {"lines": [long] * 400}]))).json()
    assert "400 lines" in answer["orders"][0]["reason"]
    assert answer["credit_notes"][0]["status"] == "accepted"


async def test_nothing_is_imported_about_a_customer_who_was_erased(portal):
    subject = f"customer-{imported('customer', 'online-retail', '13085')}"
    keyring = portal.embedded.platform.log.keyring
    keyring.key(subject)
    keyring.destroy(subject)
    answer = (await portal.post("/orders/import", batch())).json()
    assert [answer["orders"][0]["status"], answer["credit_notes"][0]["status"]] == ["rejected", "accepted"]
    assert "erased" in answer["orders"][0]["reason"]


async def test_one_order_twice_in_a_batch_is_one_order(portal):
    [order] = batch()["orders"]
    results = (await portal.post("/orders/import", batch(orders=[order, order], credit_notes=[]))).json()["orders"]
    assert sorted(result["status"] for result in results) == ["accepted", "unchanged"]
    assert await portal.events() == 1


async def test_a_batch_has_at_most_two_hundred_orders(portal):
    [order] = batch()["orders"]
    full = [order | {"number": str(number)} for number in range(201)]
    assert (await portal.post("/orders/import", batch(orders=full))).status_code == 422
    answer = (await portal.post("/orders/import", batch(orders=full[:200], credit_notes=[]))).json()
    assert {result["status"] for result in answer["orders"]} == {"accepted"}
