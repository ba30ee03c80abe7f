"""What every command over HTTP has in common: its key, the version it expects, its answer and position token."""

from __future__ import annotations

import base64
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI, Response
from hypothesis import given
from hypothesis import strategies as st

from shared.decider import Outcome
from shared.web import command_route, problems, tokens
from shared.web.commands import Accepted, Answers, Asked, Expected
from shared.web.correlated import Correlated
from shared.web.guard import as_cli, may
from shared.web.problems import Problem
from shared.web.tokens import After, Token

STORE = UUID("6f1d7c52-6a0c-5f0e-9a6b-3c1f0d5e8b77")
THING = UUID("00000000-0000-4000-8000-000000000001")
TOKEN = Token(store=STORE, position=42, topic="crm.contacts.v1", subject=f"customer-{THING}")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def app():
    routes = command_route.router()
    answers = Answers(STORE, "crm.contacts.v1")

    @routes.post("/things/{name}")
    @may("specialist")
    async def create(name: str, context: Asked) -> dict[str, str | None]:
        return {
            "name": name,
            "actor": context.actor,
            "command_id": str(context.command_id),
            "correlation_id": str(context.correlation_id),
            "traceparent": context.traceparent,
        }

    @routes.post("/edit")
    @may("specialist")
    async def edit(_context: Asked, expected: Expected, response: Response) -> Accepted:
        outcome = Outcome((), "thing-1", expected + 1, 42, f"customer-{THING}", found=False)
        return answers.answer(outcome, THING, response)

    @routes.get("/things")
    @may("specialist")
    async def things(after: After) -> int:
        return after.position if after else 0

    app = FastAPI()
    app.include_router(routes)
    problems.install(app)
    return app


def client_for(app, user="maria"):
    transport = httpx2.ASGITransport(Correlated(as_cli(app, user)))
    return httpx2.AsyncClient(transport=transport, base_url="http://rapport")


@pytest.fixture
async def client(app):
    async with client_for(app) as client:
        yield client


async def command_id(client, key="k-1", path="/things/a"):
    return (await client.post(path, headers={"Idempotency-Key": key})).json()["command_id"]


async def test_the_same_caller_target_and_key_are_the_same_command(app, client):
    first = await command_id(client)
    assert await command_id(client) == first
    assert await command_id(client, key="k-2") != first
    assert await command_id(client, path="/things/b") != first
    async with client_for(app, "another") as other:
        assert await command_id(other) != first


@pytest.mark.parametrize("key", [None, "", " ", "a b", "x" * 256, "caf\u00e9", "a\tb", "a\x7f"])
async def test_a_command_without_a_proper_key_is_refused(client, key):
    headers = {} if key is None else {"Idempotency-Key": key.encode("latin-1")}
    answer = await client.post("/things/a", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


async def test_two_keys_are_not_one(client):
    answer = await client.post("/things/a", headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "b")])
    assert answer.status_code == 400


async def test_a_command_knows_what_led_to_it(client):
    headers = {"Idempotency-Key": "k", "X-Correlation-Id": str(THING), "traceparent": TRACE}
    context = (await client.post("/things/a", headers=headers)).json()
    assert context["actor"] == "cli:maria"
    assert context["correlation_id"] == str(THING)
    assert context["traceparent"] == TRACE
    forged = await client.post("/things/a", headers=headers | {"traceparent": TRACE + "\t; drop"})
    assert forged.json()["traceparent"] is None


@pytest.mark.parametrize(
    ("version", "status"),
    [
        (None, 428),
        ('"3"', 200),
        ("3", 400),
        ("*", 400),
        ('W/"3"', 400),
        ('"-1"', 400),
        ('"3", "4"', 400),
        ('"03"', 400),
    ],
)
async def test_an_edit_names_the_version_it_saw(client, version, status):
    headers = {"Idempotency-Key": "k"} | ({"If-Match": version} if version else {})
    answer = await client.post("/edit", headers=headers)
    assert answer.status_code == status
    if status != 200:
        assert answer.json()["errors"][0]["field"] == "If-Match"


async def test_the_answer_says_where_to_wait_for_the_change(client):
    answer = await client.post("/edit", headers={"Idempotency-Key": "k", "If-Match": '"3"'})
    assert answer.json()["id"] == str(THING)
    assert answer.json()["version"] == 4
    assert answer.headers["etag"] == '"4"'
    assert answer.headers["rapport-position"] == answer.json()["position"]
    assert tokens.decode(answer.json()["position"]) == TOKEN


async def test_a_query_takes_the_token_back(client):
    assert (await client.get("/things", params={"after": tokens.encode(TOKEN)})).json() == 42
    assert (await client.get("/things")).json() == 0


@pytest.mark.parametrize(
    "token",
    [
        "42",
        "x" * 100_000,
        "caf\u00e9",
        base64.urlsafe_b64encode(b'{"position": 1}').decode(),
        base64.urlsafe_b64encode(TOKEN.model_dump_json().replace("42", "-1").encode()).decode(),
        base64.urlsafe_b64encode(TOKEN.model_dump_json().replace("42", str(2**63)).encode()).decode(),
        base64.urlsafe_b64encode(TOKEN.model_dump_json().replace("42", '42,"x":1').encode()).decode(),
        base64.urlsafe_b64encode(b"[" * 700).decode(),
    ],
)
async def test_a_token_that_is_not_ours_is_a_problem_with_after(client, token):
    with pytest.raises(Problem) as caught:
        tokens.decode(token)
    assert caught.value.status == 400
    answer = await client.get("/things", params={"after": token[:2_000]})
    assert answer.json()["errors"][0]["field"] == "after"


@given(st.text(max_size=1_200))
def test_any_text_is_a_token_or_a_problem(text):
    try:
        token = tokens.decode(text)
    except Problem:
        return
    assert tokens.decode(tokens.encode(token)) == token


async def test_the_description_of_the_api_names_the_headers(app):
    described = app.openapi()["paths"]["/edit"]["post"]["parameters"]
    assert {parameter["name"] for parameter in described} == {"idempotency-key", "if-match"}
