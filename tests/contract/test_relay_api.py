"""Replays for subscribers over HTTP: who may ask for what, before anything is sent anywhere."""

import json
from uuid import uuid4

import httpx2
import pytest

from services.cli import services
from shared.embedded import opened
from shared.settings import Settings
from shared.web.guard import Principal, as_cli

ASK = {"service": "contacts", "topic": "mine"}


@pytest.fixture
async def installation(tmp_path):
    async with opened(services(), Settings(data=tmp_path)) as running:
        yield running


async def ask(app, query):
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://rapport") as client:
        return await client.post("/api/v1/relay/replay", params=query)


def over_the_network(installation):
    app = installation.app
    while not hasattr(app, "routes"):
        app = app._app

    async def served(scope, receive, send):
        await app({**scope, "state": {"principal": Principal("job", "service", "operator")}}, receive, send)

    return served


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (ASK, "kafka"),
        (ASK | {"kafka": "127.0.0.1:1", "service": "contact"}, "service"),
        (ASK | {"kafka": "127.0.0.1:1", "topic": "crm.contacts.v1"}, "topic"),
        (ASK | {"kafka": "127.0.0.1:1", "topic": "demo.crm.portal.relay.v1"}, "topic"),
        (ASK | {"kafka": "127.0.0.1:1", "to": 1}, "to"),
        (ASK | {"kafka": "127.0.0.1:1", "from": 5}, "from"),
        (ASK | {"kafka": "127.0.0.1:1", "from": 0}, "from"),
    ],
)
async def test_what_cannot_be_replayed_is_refused_by_field(installation, query, field):
    answer = await ask(as_cli(installation.app, "maria"), query)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert installation.platform.accounts.notes() == []


async def test_whoever_comes_over_the_network_cannot_choose_where_events_are_sent(installation):
    answer = await ask(over_the_network(installation), ASK | {"kafka": "127.0.0.1:1"})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["kafka"]


@pytest.mark.kafka
async def test_who_replayed_what_is_recorded(installation, kafka):
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(as_cli(installation.app, "maria")), base_url="http://rapport"
    ) as client:
        body = {"kind": "individual", "name": "Zoë Kovač"}
        await client.post("/contacts/api/v1/customers", json=body, headers={"Idempotency-Key": "1"})
    query = ASK | {"kafka": kafka, "topic": f"test-{uuid4()}"}
    answer = await ask(as_cli(installation.app, "maria"), query)
    *steps, last = map(json.loads, answer.text.splitlines())
    assert steps[-1] == {"progress": {"what": "publishing", "done": 1, "total": 1}}
    [note] = installation.platform.accounts.notes()
    assert (note["actor"], note["action"]) == ("cli:maria", "events replayed")
    assert json.loads(note["detail"]).items() <= last["result"].items()
    assert (last["result"]["events"], last["result"]["anew"]) == (1, False)
