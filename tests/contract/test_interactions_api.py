"""Interactions over HTTP, through the app as it is served."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import httpx2
import pytest

from services.interactions.main import SERVICE
from shared.embedded import opened
from shared.settings import Settings

API = "/interactions/api/v1/interactions"
ANNA = str(UUID(int=1))
CALL = {"customer_id": ANNA, "kind": "phone_call", "direction": "inbound", "summary": "asks for mugs"}


class Desk:
    """The interactions as the owner of the installation uses them."""

    def __init__(self, client, embedded) -> None:
        self.client = client
        self.embedded = embedded

    async def post(self, path, body, *, key=None, version=None):
        headers = {"Idempotency-Key": key or str(uuid4())}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        return await self.client.post(f"{API}{path}", json=body, headers=headers)

    async def get(self, path="", **query):
        return await self.client.get(f"{API}{path}", params=query)

    async def record(self, **changes):
        answer = await self.post("", CALL | changes)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def events(self) -> int:
        return await self.embedded.platform.log.store.position()


@pytest.fixture
async def desk(tmp_path):
    async with opened([SERVICE], Settings(data=tmp_path)) as embedded:
        transport = httpx2.ASGITransport(embedded.for_cli())
        async with httpx2.AsyncClient(transport=transport, base_url="http://rapport") as client:
            yield Desk(client, embedded)


async def test_a_recorded_interaction_is_read_back_by_its_token(desk):
    at = "2026-03-02T09:30:00+01:00"
    recorded = await desk.record(occurred_at=at, timezone="Europe/Amsterdam", duration_minutes=12, handler="Maria")
    shown = await desk.get(f"/{recorded['id']}", after=recorded["position"])
    assert shown.headers["etag"] == '"0"'
    one = shown.json()
    assert {name: one[name] for name in CALL} == CALL
    assert (one["occurred_at"], one["business_day"]) == ("2026-03-02T08:30:00Z", "2026-03-02")
    assert (one["handler"], one["duration_minutes"], one["corrected"]) == ("Maria", 12, False)
    assert [said["reason"] for said in one["history"]] == [None]


async def test_who_records_an_interaction_has_handled_it_unless_said_otherwise(desk):
    recorded = await desk.record()
    one = (await desk.get(f"/{recorded['id']}", after=recorded["position"])).json()
    assert one["handler"].startswith("cli:")


async def test_the_same_key_gives_the_same_answer_and_one_event(desk):
    answers = await asyncio.gather(*(desk.post("", CALL, key="once") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert await desk.events() == 1


async def test_the_same_key_with_another_interaction_is_refused(desk):
    await desk.post("", CALL, key="once")
    answer = await desk.post("", CALL | {"kind": "visit"}, key="once")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "fax"}, "kind"),
        ({"direction": "sideways"}, "direction"),
        ({"summary": " "}, "summary"),
        ({"customer_id": "anna"}, "customer_id"),
        ({"duration_minutes": -1}, "duration_minutes"),
        ({"duration_minutes": 1441}, "duration_minutes"),
        ({"occurred_at": "2126-01-01T00:00:00Z"}, "occurred_at"),
        ({"occurred_at": "2026-03-02"}, "occurred_at"),
        ({"mood": "good"}, "mood"),
    ],
)
async def test_what_is_wrong_with_an_interaction_is_named(desk, change, field):
    answer = await desk.post("", CALL | change)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert await desk.events() == 0


async def test_a_correction_names_the_version_that_it_saw(desk):
    path = f"/{(await desk.record())['id']}/correct"
    body = {"summary": "asks for bowls", "reason": "misheard"}
    assert (await desk.post(path, body)).status_code == 428
    assert (await desk.post(path, body, version=0)).status_code == 200
    stale = await desk.post(path, body | {"summary": "asks for cups"}, version=0)
    assert stale.status_code == 412
    assert stale.json()["current_version"] == 1


async def test_a_correction_shows_and_what_was_said_before_stays(desk):
    recorded = await desk.record()
    body = {"kind": "visit", "summary": "asks for bowls", "reason": "misheard"}
    corrected = (await desk.post(f"/{recorded['id']}/correct", body, version=0)).json()
    shown = await desk.get(f"/{recorded['id']}", after=corrected["position"])
    assert shown.headers["etag"] == '"1"'
    one = shown.json()
    assert (one["kind"], one["summary"], one["corrected"]) == ("visit", "asks for bowls", True)
    assert [(said["kind"], said["summary"], said["reason"]) for said in one["history"]] == [
        ("phone_call", "asks for mugs", None),
        ("visit", "asks for bowls", "misheard"),
    ]


async def test_a_correction_needs_a_reason_and_one_that_changes_nothing_records_nothing(desk):
    path = f"/{(await desk.record())['id']}/correct"
    assert (await desk.post(path, {"kind": "visit"}, version=0)).status_code == 422
    same = await desk.post(path, {"kind": "phone_call", "reason": "sure"}, version=0)
    assert (same.status_code, same.json()["version"]) == (200, 0)
    assert await desk.events() == 1


async def test_what_does_not_exist_is_neither_found_nor_corrected(desk):
    path = f"/{UUID(int=9)}"
    assert (await desk.get(path)).status_code == 404
    assert (await desk.post(f"{path}/correct", {"reason": "gone"}, version=0)).status_code == 404


async def test_interactions_are_listed_newest_first_in_pages(desk):
    recorded = [await desk.record() for _ in range(5)]
    first = (await desk.get(limit=3, after=recorded[-1]["position"])).json()
    second = (await desk.get(limit=3, cursor=first["next"])).json()
    shown = [one["id"] for one in first["interactions"] + second["interactions"]]
    assert shown == [one["id"] for one in reversed(recorded)]
    assert second["next"] is None


async def test_interactions_are_filtered_by_customer_and_kind(desk):
    call = await desk.record()
    visit = await desk.record(customer_id=str(UUID(int=2)), kind="visit")

    async def ids(**query):
        return [one["id"] for one in (await desk.get(after=visit["position"], **query)).json()["interactions"]]

    assert await ids(customer=ANNA) == [call["id"]]
    assert await ids(kind="visit") == [visit["id"]]
    assert await ids(customer=ANNA, kind="visit") == []


async def test_an_unknown_kind_is_answered_with_those_that_exist(desk):
    answer = await desk.get(kind="fax")
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["field"] == "kind"
    assert "phone_call" in error["message"]
