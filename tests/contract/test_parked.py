"""Parked events as operators meet them: over HTTP, at the command line, on the pages, and as an alarm."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID, uuid4

import httpx2
import pytest

from services.commands.app import run
from services.commands.composition import Composition
from services.contacts import directory
from services.contacts.customer import RegisterCustomer, RenameCustomer, customer
from services.contacts.events import CustomerRenamed
from services.contacts.main import SERVICE
from shared.clock import utc_now
from shared.decider import Context, handle
from shared.embedded import opened
from shared.parked import ALARM, overdue
from shared.settings import Settings
from shared.web.guard import Principal

ANNA, BEN = UUID(int=1), UUID(int=2)
SUBJECT = f"customer-{ANNA}"
API = "/api/v1/parked"
PAGES = "/operations/parked"
SHAPE = {"projection", "subject", "position", "type", "reason", "category", "attempts", "first_at", "family"}


@pytest.fixture
def poisons(monkeypatch):
    """Names that the directory cannot take; a test mends it by taking one out."""
    names = {"Poison"}
    renamed = directory.customers.handlers[CustomerRenamed.type]

    def odd(row, event, at):
        if event.name in names:
            raise ValueError(f"{event.name} is no name")
        return renamed(row, event, at)

    monkeypatch.setitem(directory.customers.handlers, CustomerRenamed.type, odd)
    return names


@asynccontextmanager
async def installation(data):
    async with opened([SERVICE], Settings(data=data)) as embedded:
        yield embedded


async def fill(embedded):
    """Anna at 1, 3 and 5, where 3 is poison; Ben at 2 and 4."""
    log, models = embedded.platform.log, embedded.platform.models
    for who, name in ((ANNA, "Anna"), (BEN, "Ben"), (ANNA, "Poison"), (BEN, "Benjamin"), (ANNA, "Anna Kovač")):
        new = await log.store.load(f"customer-{who}")
        command = RenameCustomer(name=name) if new.events else RegisterCustomer(customer_id=who, name=name)
        await handle(log, customer, who, command, context=Context(actor="staff:maria", command_id=uuid4()))
    await models.reached(directory.family, 5, wait=60)


@pytest.fixture
async def embedded(tmp_path, poisons):
    async with installation(tmp_path / "data") as embedded:
        await fill(embedded)
        yield embedded


@pytest.fixture
async def client(embedded):
    async def served(scope, receive, send):
        await embedded.app({**scope, "state": {"principal": Principal("oskar", "staff", "operator")}}, receive, send)

    transport = httpx2.ASGITransport(served)
    async with httpx2.AsyncClient(transport=transport, base_url="http://rapport") as client:
        yield client


async def test_what_is_parked_is_listed_in_the_shape_of_the_contract(client):
    first, second = (await client.get(API)).json()
    assert first.keys() >= SHAPE
    assert [first[key] for key in ("family", "subject", "position", "category", "attempts")] == [
        "directory",
        SUBJECT,
        3,
        "apply",
        1,
    ]
    assert (second["position"], second["category"], second["attempts"]) == (5, "held", 0)


async def test_an_event_is_shown_without_what_is_personal_in_it_or_in_its_reason(client):
    shown = (await client.get(f"{API}/directory/3")).json()
    assert shown["reason"] == "ValueError: [personal] is no name"
    assert shown["event"]["data"] == {"customer_id": str(ANNA), "name": "[personal]"}
    assert (shown["event"]["position"], shown["event"]["actor"]) == (3, "staff:maria")
    assert [entry["position"] for entry in shown["waiting"]] == [5]
    assert "Poison" not in json.dumps(shown)


async def test_a_retry_that_fails_again_says_so_and_one_that_does_not_empties_the_list(client, embedded, poisons):
    failed = (await client.post(f"{API}/directory/retry", json={"subject": SUBJECT})).json()
    assert (failed["applied"], failed["waiting"][0]["attempts"]) == (0, 2)
    poisons.clear()
    done = (await client.post(f"{API}/directory/retry", json={"subject": SUBJECT})).json()
    assert (done["applied"], done["waiting"], (await client.get(API)).json()) == (2, [], [])
    assert (await verified(client))["ok"]
    retried = [note for note in embedded.platform.accounts.notes() if note["action"] == "parked events retried"]
    assert [(note["actor"], note["detail"]) for note in retried] == [("staff:oskar", f"directory {SUBJECT}")] * 2


async def verified(client):
    answer = await client.post("/api/v1/verify")
    return json.loads(answer.text.splitlines()[-1])["result"]


async def test_after_a_skip_verify_names_it_and_finds_no_other_difference(client, embedded):
    skipped = await client.post(f"{API}/directory/skip", json={"position": 3, "reason": "a test"})
    assert [entry["position"] for entry in skipped.json()["waiting"]] == [5]
    unfinished = await verified(client)
    assert not unfinished["ok"]
    await client.post(f"{API}/directory/retry", json={"subject": SUBJECT})
    result = await verified(client)
    assert result["ok"]
    assert {tuple(table["skipped"]) for table in result["projections"]} == {("3",)}
    note = embedded.platform.accounts.notes()[0]
    assert (note["actor"], note["detail"]) == ("staff:oskar", f"directory 3 of {SUBJECT}: a test")


async def test_what_cannot_be_done_names_the_field(client):
    for path, body, status, field in (
        ("nothing/retry", {"subject": SUBJECT}, 404, "family"),
        ("directory/retry", {"subject": "customer-x"}, 404, "subject"),
        ("directory/retry", {"subject": ""}, 422, "subject"),
        ("directory/retry", {"subject": "\0"}, 422, "subject"),
        ("directory/skip", {"position": 3}, 422, "reason"),
        ("directory/skip", {"position": 3, "reason": " "}, 422, "reason"),
        ("directory/skip", {"position": "three", "reason": "a test"}, 422, "position"),
        ("directory/skip", {"position": True, "reason": "a test"}, 422, "position"),
        ("directory/skip", {"position": 2, "reason": "a test"}, 404, "position"),
        ("directory/skip", {"position": 5, "reason": "a test"}, 409, "position"),
    ):
        answer = await client.post(f"{API}/{path}", json=body)
        assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (status, [field])


async def test_a_record_that_is_no_event_is_shown_and_skipped_by_where_it_stands(client, embedded):
    generation = embedded.platform.models.active(directory.family)
    generation.park_unreadable("crm.x.v1", 4, 17, key=b"customer-x", reason="no header", payload=b'{"name": "Eveline"}')
    [record] = [entry for entry in (await client.get(API)).json() if entry["position"] is None]
    assert record["name"] == "crm.x.v1:4:17"
    shown = (await client.get(f"{API}/directory/crm.x.v1:4:17")).json()
    assert (shown["event"], shown["bytes"]) == (None, 19)
    page = await client.get(f"{PAGES}/directory/crm.x.v1:4:17")
    assert "19 bytes" in page.text
    assert "Eveline" not in page.text + json.dumps(shown)
    skipped = await client.post(f"{API}/directory/skip", json={"position": "crm.x.v1:4:17", "reason": "noise"})
    assert skipped.json()["waiting"] == []


async def test_whatever_an_event_holds_it_can_be_shown(client, embedded):
    place = embedded.platform.models.active(directory.family).place
    for data in (b"{", b"[1]", b'{"name": NaN}', b'{"name": "\\ud800"}', b"[" * 5_000):
        with place.writer.begin() as db:
            db.exec_driver_sql("UPDATE parked SET data = ? WHERE place = 3", (data,))
        shown = await client.get(f"{API}/directory/3")
        assert (shown.status_code, shown.json()["event"]) == (200, None)
        assert (await client.get(f"{PAGES}/directory/3")).status_code == 200


async def until(embedded, wanted):
    async with asyncio.timeout(10):
        while not wanted(embedded.platform.health.problems().get(ALARM)):  # noqa: ASYNC110, a probe is awaited
            await asyncio.sleep(0.01)


async def test_the_alarm_sounds_after_a_quarter_of_an_hour_and_names_the_family(client, embedded):
    models = embedded.platform.models
    early, late = (lambda m=minutes: utc_now() + timedelta(minutes=m) for minutes in (14, 16))
    assert await overdue(models, [directory.family], early)() is None
    assert await overdue(models, [directory.family], late)() == "wait for more than 15 minutes: directory 2"
    await until(embedded, lambda said: said is None)
    with models.active(directory.family).place.writer.begin() as db:
        db.exec_driver_sql("UPDATE parked SET first_at = '2026-01-01T00:00:00.000000Z'")
    await until(embedded, lambda said: said is not None and "minutes" in said)
    ready = await client.get("/readyz")
    assert (ready.status_code, "directory 2" in ready.json()["detail"]) == (503, True)
    assert "for more than 15 minutes" in (await client.get("/operations/")).text


async def sent(client, page, action, **typed):
    """Fill in the form of a page that goes to this action, and send it."""
    forms = re.findall(r'<form method="post" action="([^"]+)".*?</form>', page.text, re.DOTALL)
    path = next(path for path in forms if path.endswith(action))
    form = next(form for form in re.split("<form ", page.text) if f'action="{path}"' in form)
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))
    return await client.post(path, data=hidden | typed, headers={"Accept": "text/html"}, follow_redirects=True)


async def test_the_operations_page_leads_to_what_is_parked_and_a_retry_tells_what_it_came_to(client, poisons):
    operations = await client.get("/operations/")
    assert f'href="{PAGES}"' in operations.text
    page = await client.get(PAGES)
    assert "crm.contacts.CustomerRenamed" in page.text
    failed = await sent(client, page, "/retry")
    assert (failed.url.path, "This one still cannot be" in failed.text) == (f"{PAGES}/directory/3", True)
    poisons.clear()
    done = await sent(client, failed, "/retry")
    assert (done.url.path, "Events applied: 2" in done.text) == (PAGES, True)
    assert "Nothing is parked" in done.text
    again = await sent(client, failed, "/retry")
    assert "nothing left to retry" in again.text


async def test_a_skip_on_the_page_wants_the_position_and_a_reason_and_keeps_what_was_typed(client):
    page = await client.get(f"{PAGES}/directory/3")
    assert "Poison" not in page.text
    wrong = await sent(client, page, "/skip", confirmation="33", reason="a test")
    assert wrong.status_code == 422
    assert "Type 3 to confirm" in wrong.text
    assert 'value="a test"' in wrong.text
    assert (await sent(client, page, "/skip", confirmation="3", reason=" ")).status_code == 422
    done = await sent(client, wrong, "/skip", confirmation="3", reason="a test")
    assert (done.url.path, "has not been tried" in done.text) == (f"{PAGES}/directory/5", True)
    assert 'action="/operations/parked/directory/5/skip"' not in done.text


async def test_what_waits_leads_to_what_it_waits_behind(client):
    page = await client.get(f"{PAGES}/directory/5")
    assert f'href="{PAGES}/directory/3"' in page.text
    assert 'action="/operations/parked/directory/5/skip"' not in page.text


async def test_a_page_about_what_is_not_parked_says_so(client):
    for path in ("directory/2", "directory/x", "nothing/3"):
        answer = await client.get(f"{PAGES}/{path}", headers={"Accept": "text/html"})
        assert answer.status_code in {404, 422}


@pytest.fixture
def rapport(tmp_path, poisons, capsys, monkeypatch):
    data = tmp_path / "data"
    for name in ("RAPPORT_URL", "RAPPORT_TOKEN", "RAPPORT_KAFKA"):
        monkeypatch.delenv(name, raising=False)

    @asynccontextmanager
    async def open_app(folder):
        async with installation(folder) as embedded:
            yield embedded.for_cli()

    async def prepare():
        async with installation(data) as embedded:
            await fill(embedded)

    asyncio.run(prepare())

    def rapport(*arguments):
        composition = Composition(open_app, *[None] * (len(Composition.__dataclass_fields__) - 1))
        code = run(["parked", *arguments, "--data", str(data)], composition)
        return code, *capsys.readouterr()

    return rapport


def test_the_command_line_lists_shows_skips_and_retries(rapport):
    code, out, err = rapport("list", "--json")
    assert (code, [entry["position"] for entry in json.loads(out)], err) == (0, [3, 5], "")
    assert "directory" in rapport("list")[1]
    code, out, _ = rapport("show", "3", "--json")
    [shown] = json.loads(out)
    assert (code, shown["event"]["data"]["name"], shown["waiting"][0]["position"]) == (0, "[personal]", 5)
    assert "crm.contacts.CustomerRenamed" in rapport("show", "3")[1]
    code, out, err = rapport("retry", SUBJECT, "--json")
    assert (code, [entry["attempts"] for entry in json.loads(out)]) == (1, [2, 0])
    assert err == "rapport: directory still cannot apply 3: ValueError: [personal] is no name\n"
    code, out, _ = rapport("skip", "3", "--reason", "a test", "--json")
    assert (code, [entry["position"] for entry in json.loads(out)]) == (0, [5])
    assert rapport("retry", SUBJECT, "--family", "directory")[:2] == (0, "1 applied.\n")
    assert rapport("list", "--json")[:2] == (0, "[]\n")
    assert rapport("list")[1] == "Nothing is parked.\n"


def test_the_command_line_says_which_argument_is_wrong(rapport):
    for arguments, said in (
        (("show", "2"), "POSITION: no such event is parked; see"),
        (("retry", "customer-x"), "SUBJECT: no such event is parked; see"),
        (("skip", "3", "--reason", "a test", "--family", "rhythm"), "POSITION: no such event is parked in rhythm; see"),
        (("skip", "5", "--reason", "a test"), "position: 5 waits behind another event"),
        (("skip", "3", "--reason", ""), "reason: "),
        (("skip", "3"), "Missing option '--reason'"),
    ):
        code, out, err = rapport(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith(f"rapport: {said}"), err
