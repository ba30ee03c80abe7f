"""Generations as operators meet them: over HTTP and at the command line."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import fields
from uuid import UUID, uuid4

import httpx2
import pytest
import sqlalchemy as sa

from services.commands.app import run
from services.commands.composition import Composition
from services.contacts import directory
from services.contacts.customer import RegisterCustomer, customer
from services.contacts.events import CustomerRegistered
from services.contacts.main import SERVICE
from shared.decider import Context, handle
from shared.embedded import opened
from shared.settings import Settings
from shared.web.guard import Principal

API = "/api/v1/replays"
SHAPE = {"family", "version", "generation", "status", "position", "target", "applied", "rate", "eta_seconds"}


@asynccontextmanager
async def installation(data):
    async with opened([SERVICE], Settings(data=data)) as embedded:
        yield embedded


async def register(embedded, *numbers):
    for number in numbers:
        id_ = UUID(int=number)
        command = RegisterCustomer(customer_id=id_, name=f"Customer {number}")
        await handle(embedded.platform.log, customer, id_, command, context=Context("staff:maria", uuid4()))
    position = await embedded.platform.log.store.position()
    await embedded.platform.models.reached(directory.family, position, wait=60)


@pytest.fixture
async def embedded(tmp_path):
    async with installation(tmp_path / "data") as embedded:
        await register(embedded, 1, 2, 3)
        yield embedded


@pytest.fixture
async def client(embedded):
    async def served(scope, receive, send):
        caller = Principal("maria", "staff", "operator")
        await embedded.app({**scope, "state": {"principal": caller}}, receive, send)

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(served), base_url="http://rapport") as client:
        yield client


async def built(client, **body):
    """A new generation with all that it is to hold."""
    answer = await client.post(f"{API}/directory/start", json={"reason": "a try"} | body)
    assert answer.status_code == 201
    number = answer.json()["generation"]
    async with asyncio.timeout(20):
        while True:
            (found,) = [each for each in (await client.get(f"{API}/directory")).json() if each["generation"] == number]
            if found["status"] == "failed" or (found["status"] in {"ready", "as_of"} and found["eta_seconds"] == 0):
                return found
            await asyncio.sleep(0.01)


async def last_line(client, path, **params):
    answer = await client.post(f"{API}/{path}", params=params)
    assert answer.status_code == 200
    return json.loads(answer.text.splitlines()[-1])


async def test_a_generation_is_built_compared_swapped_rolled_back_and_dropped(client, embedded):
    found = await built(client)
    assert found.keys() >= SHAPE
    assert (found["status"], found["position"], found["target"], found["applied"]) == ("ready", 3, 3, 3)
    assert (found["actor"], found["reason"], found["rows"]["customers"]) == ("staff:maria", "a try", 3)
    swapped = (await last_line(client, "directory/swap/0", reason="looks right"))["result"]
    assert (swapped["equal"], swapped["swapped"], swapped["generation"]) == (True, True, 2)
    assert [each["status"] for each in (await client.get(API)).json()] == ["retired", "active"]
    back = await client.post(f"{API}/directory/rollback", json={"reason": "on second thoughts"})
    assert (back.json()["generation"], back.json()["status"]) == (1, "active")
    gone = await client.post(f"{API}/directory/drop", json={"generation": 2, "reason": "done"})
    assert gone.json()["status"] == "dropped"
    assert [each["generation"] for each in (await client.get(API)).json()] == [1]
    notes = [(note["actor"], note["action"], note["detail"]) for note in embedded.platform.accounts.notes()]
    assert [note[1] for note in notes] == ["replay start", "replay swap", "replay rollback", "replay drop"]
    assert notes[1] == ("staff:maria", "replay swap", "directory version 3 generation 2: looks right")


async def test_a_difference_keeps_a_generation_from_being_read_until_it_is_accepted(client, embedded):
    found = await built(client)
    entry = embedded.platform.models.entries()[-1]
    assert entry.generation == found["generation"]
    with embedded.platform.models.open(entry).place.writer.begin() as db:
        db.execute(sa.text("UPDATE customers SET name = 'Somebody' WHERE customer LIKE '%3'"))
    result = (await last_line(client, "directory/compare/0", limit=5))["result"]
    assert (result["equal"], result["rows"][0] == result["rows"][1]) == (False, True)
    assert result["checksum"][0] != result["checksum"][1]
    (difference,) = result["differences"]
    assert (difference["table"], difference["key"]) == ("customers", [f"customer-{UUID(int=3)}"])
    assert (difference["active"]["name"], difference["candidate"]["name"]) == ("Customer 3", "Somebody")
    kept = (await last_line(client, "directory/swap/0"))["result"]
    assert kept["swapped"] is False
    accepted = (await last_line(client, "directory/swap/0", accept="a name was corrected"))["result"]
    assert accepted["swapped"] is True
    assert "differences accepted: a name was corrected" in embedded.platform.accounts.notes()[-1]["detail"]


async def test_the_rows_of_an_older_state_can_be_asked_for(client):
    found = await built(client, until=2)
    assert (found["status"], found["position"], found["until"]) == ("as_of", 2, 2)
    answer = await client.get(f"{API}/directory/2/customers")
    assert [row["name"] for row in answer.json()["rows"]] == ["Customer 1", "Customer 2"]
    one = await client.get(f"{API}/directory/2/customers", params={"key": f"customer-{UUID(int=1)}"})
    assert [row["name"] for row in one.json()["rows"]] == ["Customer 1"]
    refused = await client.get(f"{API}/directory/2/orders")
    assert refused.status_code == 404
    assert "customers" in refused.json()["errors"][0]["message"]
    never = await client.post(f"{API}/directory/swap/2")
    assert "part of history" in never.text


async def test_an_instant_is_as_good_as_a_position(client, embedded):
    (page,) = [page async for page in embedded.platform.log.store.pages(0)]
    found = await built(client, until=page.events[1].meta.recorded_at)
    assert found["until"] == 2


async def test_poison_names_the_event_and_leaves_what_is_read_alone(client, monkeypatch):
    registered = directory.customers.handlers[CustomerRegistered.type]

    def odd(row, event, at):
        if event.name == "Customer 2":
            raise ValueError("is no name")
        return registered(row, event, at)

    monkeypatch.setitem(directory.customers.handlers, CustomerRegistered.type, odd)
    found = await built(client)
    assert found["status"] == "failed"
    assert found["error"].startswith("crm.contacts.CustomerRegistered at 2: ")
    monkeypatch.setitem(directory.customers.handlers, CustomerRegistered.type, registered)
    resumed = await client.post(f"{API}/directory/resume", json={"reason": "mended"})
    assert resumed.status_code == 200
    await until(client, f"{API}/directory", '"ready"')


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("nothing/start", {"reason": "x"}, 404, "family"),
        ("directory/start", {}, 422, "reason"),
        ("directory/start", {"reason": "x", "until": 99}, 422, "until"),
        ("directory/start", {"reason": "x", "processes": -1}, 422, "processes"),
        ("directory/pause", {}, 404, "generation"),
        ("directory/drop", {"generation": 7}, 404, "generation"),
        ("directory/drop", {"generation": 1}, 409, "generation"),
    ],
)
async def test_what_cannot_be_done_names_the_field(client, path, body, status, field):
    answer = await client.post(f"{API}/{path}", json=body)
    assert answer.status_code == status
    assert field in answer.json()["errors"][0]["field"]


async def _filled(data):
    async with installation(data) as embedded:
        await register(embedded, *range(1, 9))


def test_the_command_line_does_the_same_in_a_folder_where_nothing_runs(tmp_path, capsys):
    data = tmp_path / "data"
    asyncio.run(_filled(data))

    @asynccontextmanager
    async def open_app(folder):
        async with installation(folder) as embedded:
            yield embedded.for_cli()

    def rapport(*words, code=0):
        assert (
            run([*words, "--data", str(data)], Composition(open_app, *[None] * (len(fields(Composition)) - 1))) == code
        )
        return capsys.readouterr()

    started = json.loads(rapport("replay", "start", "customers", "--reason", "try", "--json").out)
    assert (started["family"], started["generation"], started["status"]) == ("directory", 2, "ready")
    assert json.loads(rapport("replay", "compare", "directory", "--json").out)["equal"] is True
    assert "is read from generation 2 now" in rapport("replay", "swap", "directory").out
    assert json.loads(rapport("replay", "rollback", "directory", "--json").out)["generation"] == 1
    status = json.loads(rapport("replay", "status", "--json").out)
    assert [(each["generation"], each["status"]) for each in status] == [(1, "active"), (2, "retired")]
    assert "retired" in rapport("replay", "status", "directory", "--watch").out
    past = json.loads(rapport("replay", "start", "directory", "--reason", "then", "--until", "5", "--json").out)
    assert (past["status"], past["position"], past["applied"]) == ("as_of", 5, 5)
    assert "is active" in rapport("replay", "drop", "directory", "--generation", "1", code=2).err
    assert (
        "neither a position nor an instant"
        in rapport("replay", "start", "directory", "--reason", "x", "--until", "soon", code=2).err
    )
    assert "only projections" in rapport("replay", "start", "closer", "--reason", "x", code=2).err


async def page(client, path="", **form):
    path = f"/operations/replays{path}"
    return await (client.post(path, data=form) if form else client.get(path))


async def until(client, path, what):
    """The text of a page once it says something."""
    async with asyncio.timeout(20):
        while True:
            said = (await client.get(path)).text
            if what in said:
                return said
            await asyncio.sleep(0.01)


async def test_the_pages_build_compare_swap_and_go_back(client, embedded):
    begun = await page(client, family="directory", reason="a new look")
    assert (begun.status_code, begun.headers["location"]) == (303, "/operations/replays/directory/2")
    assert "a new look" in await until(client, "/operations/replays/directory/2", "ready to be compared")
    assert "Row by row the same" in (await page(client, "/directory/2/compare", reason="")).text
    without = await page(client, "/directory/2/swap", reason="")
    assert without.status_code == 422
    assert "Write why" in without.text
    assert (await page(client, "/directory/2/swap", reason="equal")).status_code == 303
    assert embedded.platform.models.active(directory.family).number == 2
    assert "Go back to this one" in (await page(client, "/directory/1")).text
    assert (await page(client, "/directory/1/rollback", reason="no")).status_code == 303
    assert (await page(client, "/directory/2/drop", reason="no")).headers["location"] == "/operations/replays"
    assert "directory 2" not in (await page(client)).text


async def test_the_page_swaps_what_differs_only_if_that_is_accepted(client, embedded):
    await built(client)
    with embedded.platform.models.open(embedded.platform.models.entries()[-1]).place.writer.begin() as db:
        db.execute(sa.text("UPDATE customers SET name = 'Somebody' WHERE customer LIKE '%3'"))
    kept = await page(client, "/directory/2/swap", reason="better names")
    assert kept.status_code == 409
    assert "Somebody" in kept.text
    assert embedded.platform.models.active(directory.family).number == 1
    assert (await page(client, "/directory/2/swap", reason="better names", accept="yes")).status_code == 303
    assert embedded.platform.models.active(directory.family).number == 2


async def test_the_gauges_say_how_far_everything_is(client, embedded):
    await built(client)
    said = await until(client, "/metrics", 'rapport_need_met{need="directory"} 1.0')
    assert 'rapport_projection_lag_events{family="directory",generation="1",version="3"} 0.0' in said
    assert 'rapport_generation_position{family="directory",generation="2",status="ready",version="3"} 3.0' in said
    assert "rapport_store_position 3.0" in said


async def test_a_trace_shows_what_each_event_changed_and_nothing_personal(client):
    answer = await client.get("/api/v1/trace/customers", params={"subject": f"customer-{UUID(int=2)}"})
    (step,) = [json.loads(line) for line in answer.text.splitlines()]
    (change,) = step["changes"]
    assert (change["table"], change["before"], change["after"]["name"]) == ("customers", None, "[personal]")
    assert step["event"]["type"] == CustomerRegistered.type
    assert "Customer 2" not in answer.text
    assert (await client.get("/api/v1/trace/customers?subject=x&reveal=true")).status_code == 403
