"""Looking back over HTTP: a customer as of a day, as it was known at a moment, and what changed in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx2
import pytest

from services.cli import services
from services.contacts.main import SERVICE
from shared.clock import business_day, date_of
from shared.embedded import opened
from shared.settings import Settings

CONTACTS = "/contacts/api/v1/customers"
INTERACTIONS = "/interactions/api/v1"
ANALYTICS = "/analytics/api/v1/customers"
HTML = {"Accept": "text/html"}
DAYS_AGO = 200


class Past:
    """An installation in which a customer has changed over some days, as its owner sees it."""

    def __init__(self, client, embedded) -> None:
        self.client = client
        self.embedded = embedded
        self.id = ""
        self.before_merge = 0

    def day(self, ago: int) -> str:
        return date_of(business_day(datetime.now(UTC) - timedelta(days=ago), "UTC")).isoformat()

    async def post(self, path, body, *, version=None):
        headers = {"Idempotency-Key": str(uuid4())} | ({} if version is None else {"If-Match": f'"{version}"'})
        answer = await self.client.post(path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    async def get(self, path, **query):
        return await self.client.get(path, params=query)

    async def see(self, path, **query):
        return await self.client.get(path, params=query, headers=HTML)

    async def card(self, **query):
        answer = await self.get(f"{CONTACTS}/{self.id}", **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def happen(self, customer: str, ago: int, act: str, body: dict, version: int):
        at = (datetime.now(UTC) - timedelta(days=ago)).isoformat()
        return await self.post(f"{CONTACTS}/{customer}/{act}", body | {"occurred_at": at}, version=version)

    async def head(self) -> int:
        return await self.embedded.platform.log.store.position()

    async def caught_up(self):
        position = await self.head()
        for generation in self.embedded.platform.models.generations:
            await self.embedded.platform.models.reached(generation.family, position, wait=20)


@asynccontextmanager
async def lived(folder, some) -> AsyncIterator[Past]:
    async with opened(some, Settings(data=folder)) as embedded:
        transport = httpx2.ASGITransport(embedded.for_cli())
        async with httpx2.AsyncClient(transport=transport, base_url="http://rapport") as client:
            past = Past(client, embedded)
            at = (datetime.now(UTC) - timedelta(days=DAYS_AGO)).isoformat()
            ana = {"kind": "individual", "name": "Ana", "email": "ana@kovac.example", "occurred_at": at}
            past.id = (await past.post(CONTACTS, ana))["id"]
            await past.happen(past.id, 100, "rename", {"name": "Ana Kovač"}, 1)
            await past.happen(past.id, 50, "describe", {"country": "HR"}, 2)
            await past.caught_up()
            yield past


@pytest.fixture
async def past(tmp_path):
    async with lived(tmp_path, [SERVICE]) as past:
        yield past


@pytest.fixture
async def whole(tmp_path):
    """The same with all services."""
    async with lived(tmp_path, services()) as past:
        yield past


async def test_a_card_as_of_a_day_says_what_was_so_then(past):
    assert (await past.card())["name"] == "Ana Kovač"
    for ago, name, country in ((DAYS_AGO, "Ana", None), (101, "Ana", None), (100, "Ana Kovač", None)):
        seen = await past.card(as_of=past.day(ago))
        assert (seen["name"], seen["country"]) == (name, country)
    assert (await past.card(as_of=past.day(50)))["country"] == "HR"
    today = await past.card(as_of=past.day(0))
    assert {**today, "known_at": None} == await past.card()


async def test_a_card_by_what_was_known_leaves_out_what_was_told_later(past):
    first = await past.card(known_at=2)
    assert (first["name"], first["country"], first["known_at"]) == ("Ana", None, 2)
    everything = await past.card(known_at=await past.head())
    assert (everything["name"], everything["country"]) == ("Ana Kovač", "HR")
    # All three were told within the last minute: known then, whichever day they tell of.
    now = await past.card(known_at=datetime.now(UTC).isoformat(), as_of=past.day(101))
    assert (now["name"], now["known_at"]) == ("Ana", await past.head())


async def test_the_past_has_no_version_to_edit(past):
    now = await past.get(f"{CONTACTS}/{past.id}")
    then = await past.get(f"{CONTACTS}/{past.id}", as_of=past.day(101))
    assert ("etag" in now.headers, "etag" in then.headers) == (True, False)


async def test_before_its_first_day_there_was_no_such_customer(past):
    for query, field in (({"as_of": past.day(DAYS_AGO + 1)}, "as_of"), ({"known_at": 0}, "known_at")):
        answer = await past.get(f"{CONTACTS}/{past.id}", **query)
        assert answer.status_code == 404
        assert answer.json()["errors"] == [{"field": field, "message": "this was not a customer yet"}]


WRONG = [
    ({"as_of": "yesterday"}, "as_of"),
    ({"as_of": "2026-02-30"}, "as_of"),
    ({"as_of": "9999-12-31"}, "as_of"),
    ({"known_at": "2026-03-01T09:30:00"}, "known_at"),
    ({"known_at": "2026-03-01"}, "known_at"),
    ({"known_at": "-1"}, "known_at"),
    ({"known_at": "999999"}, "known_at"),
    ({"known_at": "9998-03-01T09:30:00Z"}, "known_at"),
]


async def test_what_is_no_point_in_the_past_is_told_by_name(whole):
    for query, field in WRONG:
        asked = [f"{CONTACTS}/{whole.id}", f"{INTERACTIONS}/customers/{whole.id}/timeline"]
        asked += [] if "as_of" in query else [f"{ANALYTICS}/{whole.id}"]
        for path in asked:
            answer = await whole.get(path, **query)
            assert answer.status_code == 400, answer.text
            assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_what_changed_between_two_days_names_event_person_and_command(past):
    answer = await past.get(f"{CONTACTS}/{past.id}/changes", **{"from": past.day(101), "to": past.day(0)})
    name, country = answer.json()["changes"]
    assert (name["field"], name["before"], name["after"]) == ("name", "Ana", "Ana Kovač")
    assert (country["field"], country["before"], country["after"]) == ("country", None, "HR")
    stored = (await past.embedded.platform.log.store.load(f"customer-{past.id}")).events[2]
    assert (name["type"], name["position"], name["event_id"]) == (stored.type, stored.position, str(stored.uuid))
    assert name["actor"].startswith("cli:")
    for detail in ("actor", "command_id", "correlation_id", "occurred_at", "recorded_at", "on_behalf_of"):
        assert name[detail] == getattr(stored.meta, detail)


async def test_what_became_known_between_two_positions(past):
    answer = await past.get(f"{CONTACTS}/{past.id}/changes", **{"from": 0, "to": 2})
    told = {change["field"]: change["after"] for change in answer.json()["changes"]}
    mail = {"channel": "email", "value": "ana@kovac.example", "purpose": "general"}
    assert told == {"kind": "individual", "name": "Ana", "contact_points[1]": mail}


SPANS = [
    (("2026-02-02", "2026-02-01"), "to"),
    ((2, 1), "to"),
    (("2026-02-02", "1"), "to"),
    (("9999-01-01", "9999-01-02"), "from"),
    (("never", "1"), "from"),
]


async def test_a_span_that_is_none_is_told_by_name(past):
    for (first, last), field in SPANS:
        answer = await past.get(f"{CONTACTS}/{past.id}/changes", **{"from": first, "to": last})
        assert answer.status_code == 400
        assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_whoever_was_absorbed_is_itself_as_far_as_was_known_before(past):
    bo = (await past.post(CONTACTS, {"kind": "individual", "name": "Bo"}))["id"]
    before = await past.head()
    await past.post(f"{CONTACTS}/{past.id}/merge", {"survivor": bo}, version=3)
    await past.caught_up()
    assert (await past.card(known_at=before))["survivor"] is None
    assert (await past.card(known_at=before + 1))["survivor"] == bo
    assert (await past.card(as_of=past.day(50)))["survivor"] == bo  # what we know today of that day
    assert (await past.see(f"/contacts/{past.id}", known_at=before)).status_code == 200
    assert (
        (await past.see(f"/contacts/{past.id}", known_at=before + 1)).headers["location"].startswith(f"/contacts/{bo}")
    )
    (change,) = (await past.get(f"{CONTACTS}/{past.id}/changes", **{"from": before, "to": before + 1})).json()[
        "changes"
    ]
    assert (change["field"], change["after"]) == ("survivor", bo)


async def test_nothing_of_an_erased_customer_is_seen_from_any_point(whole):
    position = await whole.head()
    await whole.post(f"{CONTACTS}/{whole.id}/erase", {"reason": "request"}, version=3)
    await whole.caught_up()
    points = ({"as_of": whole.day(50)}, {"known_at": position}, {})
    for point in points:
        for answer in (
            await whole.get(f"{CONTACTS}/{whole.id}", **point),
            await whole.see(f"/contacts/{whole.id}", **point),
        ):
            assert answer.status_code == 410
            assert "Kova" not in answer.text
    for path in (f"{CONTACTS}/{whole.id}/changes", f"/contacts/{whole.id}/changes"):
        answer = await whole.client.get(path, params={"from": 0, "to": position}, headers=HTML)
        assert answer.status_code == 410
        assert "Kova" not in answer.text
    lines = await whole.get(f"{INTERACTIONS}/customers/{whole.id}/timeline", known_at=position)
    assert lines.json()["lines"] == []


async def test_a_timeline_shows_a_contact_as_it_was_told_before_its_correction(whole):
    call = {"kind": "phone_call", "direction": "inbound", "summary": "asks for mugs", "customer_id": whole.id}
    call["occurred_at"] = (datetime.now(UTC) - timedelta(days=10)).isoformat()
    id_ = (await whole.post(f"{INTERACTIONS}/interactions", call))["id"]
    told = await whole.head()
    await whole.post(f"{INTERACTIONS}/interactions/{id_}/correct", {"kind": "visit", "reason": "wrong"}, version=0)
    await whole.caught_up()
    path = f"{INTERACTIONS}/customers/{whole.id}/timeline"
    for point in ({"known_at": told}, {"as_of": whole.day(10)}):
        lines = (await whole.get(path, **point)).json()["lines"]
        assert [(line["kind"], line["corrected"]) for line in lines][:1] == [("phone_call", False)]
    now = (await whole.get(path)).json()["lines"]
    assert [(line["kind"], line["corrected"]) for line in now][:2] == [("visit", False), ("phone_call", True)]


async def test_purchases_by_what_was_known_come_without_scores(whole):
    order = {"number": "1", "placed_at": "2026-01-02T10:00:00+00:00"}
    order |= {"lines": [{"code": "CD", "description": None, "quantity": 1, "unit_price": "9.99", "amount_minor": None}]}
    about = {"source": "cdnow", "timezone": "UTC", "currency": "USD", "credit_notes": []}
    known = dict.fromkeys(("kind", "name", "country", "email", "phone"))
    await whole.post(f"{CONTACTS}/import", {"source": "cdnow", "customers": [{"outside_id": "7"} | known]})
    for number in ("1", "2"):
        orders = [order | {"number": number, "customer": "7"}]
        await whole.post("/portal/api/v1/orders/import", about | {"orders": orders})
    await whole.caught_up()
    position = await whole.head()
    now = (await whole.get(f"{ANALYTICS}/cdnow:7")).json()
    then = (await whole.get(f"{ANALYTICS}/cdnow:7", known_at=position - 1)).json()
    assert (now["orders"], now["gross_minor"], now["segment"] is None) == (2, 1998, False)
    assert (then["orders"], then["gross_minor"], then["known_at"]) == (1, 999, position - 1)
    assert [then[score] for score in ("r", "f", "m", "segment", "index", "active", "value_minor")] == [None] * 7
    page = await whole.see("/analytics/customers/cdnow:7", known_at=position - 1)
    assert "There are no scores by what was known" in page.text
    assert "$9.99" in page.text
    for part in ("rhythm", "loyalty"):
        path = f"/analytics/fragments/customers/{now['customer']}/{part}"
        fragment = await whole.see(path, known_at=position - 1)
        assert fragment.status_code == 200


async def test_the_page_of_the_past_says_so_and_has_no_forms(past):
    page = (await past.see(f"/contacts/{past.id}", as_of=past.day(101))).text
    assert "This is the past" in page
    assert 'href="?edit=' not in page
    assert f"/timeline?as_of={past.day(101)}" in page
    assert "This is the past" not in (await past.see(f"/contacts/{past.id}", as_of=past.day(0))).text


async def test_a_day_chosen_elsewhere_hides_no_form_and_no_write(past):
    past.client.cookies.set("as_of", past.day(101))
    assert "This is the past" in (await past.see(f"/contacts/{past.id}")).text
    form = (await past.see(f"/contacts/{past.id}", edit="rename")).text
    assert 'value="Ana Kovač"' in form
    assert "This is the past" not in form


async def test_a_local_time_is_read_in_the_zone_of_the_installation(past):
    minute_ahead = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    assert (await past.see(f"/contacts/{past.id}", known_at=minute_ahead)).status_code == 400
    year_ago = (datetime.now(UTC) - timedelta(days=365)).strftime("%Y-%m-%dT%H:%M")
    before = await past.see(f"/contacts/{past.id}", known_at=year_ago)
    assert before.status_code == 404
    assert "Not a customer yet" in before.text


async def test_the_page_of_changes_leads_to_each_event(past):
    page = (await past.see(f"/contacts/{past.id}/changes", **{"from": past.day(101), "to": past.day(0)})).text
    for told in ("Ana Kovač", "Croatia", "Renamed", "/api/v1/events?after=2&amp;limit=1"):
        assert told in page
    assert "Contact point added" not in page
    assert "Contact point added" in (await past.see(f"/contacts/{past.id}/changes")).text
    assert "Nothing changed" in (await past.see(f"/contacts/{past.id}/changes", **{"from": past.day(1)})).text
