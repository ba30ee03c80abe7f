"""The customer base over HTTP, through the app as it is served."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4, uuid5

import httpx2
import pytest

from services.contacts.main import SERVICE
from shared.embedded import opened
from shared.ids import NS, imported
from shared.settings import Settings

API = "/contacts/api/v1/customers"
ANA = {"kind": "individual", "name": "Ana Kovač", "country": "HR", "email": "ana@kovac.example"}


class Contacts:
    """The customer base as the owner of the installation uses it."""

    def __init__(self, client, embedded) -> None:
        self.client = client
        self.embedded = embedded

    async def post(self, path, body=None, *, key=None, version=None):
        headers = {"Idempotency-Key": key or str(uuid4())}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        return await self.client.post(f"{API}{path}", json=body, headers=headers)

    async def get(self, path="", **query):
        return await self.client.get(f"{API}{path}", params=query)

    async def register(self, **changes):
        answer = await self.post("", ANA | changes)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def take(self, *customers, source="cdnow"):
        answer = await self.post("/import", {"source": source, "customers": list(customers)})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def events(self) -> int:
        return await self.embedded.platform.log.store.position()


def known(outside_id, **details):
    nothing = dict.fromkeys(("kind", "name", "country", "email", "phone"))
    return {"outside_id": outside_id} | nothing | details


def said(answer):
    return [(result["status"], result["events"]) for result in answer["results"]]


@pytest.fixture
async def contacts(tmp_path):
    async with opened([SERVICE], Settings(data=tmp_path)) as embedded:
        transport = httpx2.ASGITransport(embedded.for_cli())
        async with httpx2.AsyncClient(transport=transport, base_url="http://rapport") as client:
            yield Contacts(client, embedded)


async def test_a_registered_customer_is_read_back_by_its_token(contacts):
    registered = await contacts.register(phone="+385 1 555 01 42", internal=True)
    assert registered["version"] == 2
    shown = await contacts.get(f"/{registered['id']}", after=registered["position"])
    assert shown.headers["etag"] == '"2"'
    card = shown.json()
    assert {name: card[name] for name in ("kind", "name", "country", "internal")} == {
        "kind": "individual",
        "name": "Ana Kovač",
        "country": "HR",
        "internal": True,
    }
    points = [(point["point"], point["channel"], point["value"]) for point in card["contact_points"]]
    assert points == [(1, "email", "ana@kovac.example"), (2, "phone", "+38515550142")]


async def test_the_same_key_gives_the_same_answer_and_no_second_customer(contacts):
    answers = await asyncio.gather(*(contacts.post("", ANA, key="once") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert await contacts.events() == 2


async def test_the_same_key_with_another_customer_is_refused(contacts):
    await contacts.post("", ANA, key="once")
    answer = await contacts.post("", ANA | {"name": "Bo"}, key="once")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


async def test_a_command_without_a_key_is_refused(contacts):
    assert (await contacts.client.post(API, json=ANA)).status_code == 400


async def test_every_wrong_field_is_named_and_nothing_is_stored(contacts):
    answer = await contacts.post("", {"kind": "robot", "name": "", "email": "ana", "phone": "12", "hat": 1})
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {"kind", "name", "email", "phone", "hat"}
    assert await contacts.events() == 0


EDITS = [
    ("/rename", {"name": "Ana Horvat"}),
    ("/describe", {"kind": "household", "country": "NL"}),
    ("/address", {"lines": ["Ilica 1"], "city": "Zagreb", "country": "HR"}),
    ("/identifiers", {"source": "erp", "outside_id": "42"}),
    ("/contact-points", {"channel": "messenger", "value": "@ana"}),
    ("/contact-points/1/correct", {"value": "ana@horvat.example"}),
    ("/contact-points/1/remove", None),
]


@pytest.mark.parametrize(("path", "body"), EDITS)
async def test_an_edit_names_the_version_that_it_saw(contacts, path, body):
    ana = await contacts.register()
    assert (await contacts.post(f"/{ana['id']}{path}", body)).status_code == 428
    done = await contacts.post(f"/{ana['id']}{path}", body, version=1)
    assert done.status_code == 200, done.text
    assert done.json()["version"] > 1
    stale = await contacts.post(f"/{ana['id']}{path}", body, version=1)
    assert stale.status_code == 412
    assert stale.json()["current_version"] == done.json()["version"]


@pytest.mark.parametrize(("path", "body"), EDITS)
async def test_who_does_not_exist_cannot_be_edited(contacts, path, body):
    assert (await contacts.post(f"/{uuid4()}{path}", body, version=0)).status_code == 404


async def test_edits_show_in_the_card(contacts):
    ana = await contacts.register()
    version = ana["version"]
    for path, body in EDITS:
        done = (await contacts.post(f"/{ana['id']}{path}", body, version=version)).json()
        version = done["version"]
    card = (await contacts.get(f"/{ana['id']}", after=done["position"])).json()
    assert (card["name"], card["kind"], card["country"]) == ("Ana Horvat", "household", "NL")
    assert card["aliases"] == ["erp:42"]
    assert card["address"]["city"] == "Zagreb"
    assert [(point["point"], point["value"]) for point in card["contact_points"]] == [(2, "@ana")]
    assert card["told"]["name"]["version"] == 2


async def test_a_contact_point_that_does_not_fit_or_exist_is_refused(contacts):
    ana = await contacts.register()
    wrong = await contacts.post(f"/{ana['id']}/contact-points", {"channel": "email", "value": "ana"}, version=1)
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["field"] == "value"
    assert (await contacts.post(f"/{ana['id']}/contact-points/7/remove", version=1)).status_code == 404


async def test_who_is_not_known_is_missing(contacts):
    assert (await contacts.get(f"/{uuid4()}")).status_code == 404
    assert (await contacts.get("/cdnow:7")).status_code == 404


async def test_an_alias_leads_to_its_customer(contacts):
    taken = await contacts.take(known("A/7"))
    card = (await contacts.get("/cdnow:A/7", after=taken["position"])).json()
    assert (card["id"], card["survivor"]) == (str(imported("customer", "cdnow", "A/7")), None)


async def test_the_list_is_searched_filtered_and_paged(contacts):
    for name in ("Ana Kovač", "Bo Šarić", "Ćiril Kovač"):
        last = await contacts.register(name=name, email=None)
    last = await contacts.register(name="Kovač Papir", kind="organisation", email=None)
    first = (await contacts.get(q="kovac", limit=2, after=last["position"])).json()
    assert ([entry["name"] for entry in first["customers"]], first["count"]) == (["Ana Kovač", "Ćiril Kovač"], 3)
    second = (await contacts.get(q="kovac", limit=2, cursor=first["next"])).json()
    assert ([entry["name"] for entry in second["customers"]], second["next"]) == (["Kovač Papir"], None)
    organisations = (await contacts.get(kind="organisation")).json()
    assert [entry["name"] for entry in organisations["customers"]] == ["Kovač Papir"]
    assert (await contacts.get(kind="robot")).status_code == 422
    assert (await contacts.get(cursor="nonsense")).status_code == 400


async def test_an_import_says_what_became_of_each_and_changes_nothing_when_repeated(contacts):
    file = [known("1"), known("2", name="Ana", email="ana@kovac.example"), known("3", country="NL")]
    first = await contacts.take(*file)
    assert said(first) == [("accepted", 1), ("accepted", 2), ("accepted", 1)]
    again = await contacts.take(*file)
    assert said(again) == [("unchanged", 0)] * 3
    assert await contacts.events() == 4
    card = (await contacts.get(f"/{imported('customer', 'cdnow', '2')}", after=first["position"])).json()
    assert (card["name"], card["aliases"]) == ("Ana", ["cdnow:2"])


@pytest.mark.parametrize("alias_first", [True, False])
async def test_an_order_file_and_a_customer_file_meet_in_one_customer(contacts, alias_first):
    alias, named = known("7"), known("7", name="Ana", kind="organisation", country="HR", phone="+38515550142")
    if alias_first:
        assert said(await contacts.take(alias)) == [("accepted", 1)]
        assert said(await contacts.take(named)) == [("accepted", 4)]
    else:
        assert said(await contacts.take(named)) == [("accepted", 2)]
    last = await contacts.take(alias, named)
    assert said(last) == [("unchanged", 0), ("unchanged", 0)]
    card = (await contacts.get(f"/{imported('customer', 'cdnow', '7')}", after=last["position"])).json()
    assert (card["name"], card["kind"], card["country"]) == ("Ana", "organisation", "HR")
    assert [point["value"] for point in card["contact_points"]] == ["+38515550142"]


async def test_other_content_under_the_same_id_is_rejected(contacts):
    await contacts.take(known("7", name="Ana"))
    answer = await contacts.take(known("7", name="Bo"), known("8", name="Cy"))
    assert said(answer) == [("rejected", 0), ("accepted", 1)]
    assert answer["results"][0]["reason"] == "already imported with other content"


async def test_what_staff_wrote_is_not_overwritten_by_an_import(contacts):
    await contacts.take(known("7"))
    id_ = imported("customer", "cdnow", "7")
    assert (await contacts.post(f"/{id_}/rename", {"name": "Ana"}, version=0)).status_code == 200
    answer = await contacts.take(known("7", name="Anna"))
    assert answer["results"][0]["reason"] == "name: the customer is known with another name"
    assert answer["position"] is None


async def test_one_customer_twice_in_a_file_is_taken_once(contacts):
    answer = await contacts.take(known("7", name="Ana"), known("7", name="Ana"), known("7", name="Bo"))
    assert said(answer) == [("accepted", 1), ("unchanged", 0), ("rejected", 0)]


async def test_an_import_is_the_same_command_whoever_runs_it(contacts):
    await contacts.take(known("7"))
    id_ = imported("customer", "cdnow", "7")
    history = await contacts.embedded.platform.log.store.load(f"customer-{id_}")
    assert UUID(history.events[0].meta.command_id) == uuid5(NS, str(id_))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"source": "a/b", "customers": []}, "source"),
        ({"source": "cdnow", "customers": [known("1"), known("2", email="ana")]}, "customers[1].email"),
        ({"source": "cdnow", "customers": [known("")]}, "customers[0].outside_id"),
        ({"source": "cdnow", "customers": [known(str(number)) for number in range(501)]}, "customers"),
    ],
)
async def test_what_is_wrong_with_an_import_is_named(contacts, body, field):
    answer = await contacts.post("/import", body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert await contacts.events() == 0
