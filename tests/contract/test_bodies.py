"""JSON bodies are plain: UTF-8, no key twice, nothing that another reader would understand differently."""

from __future__ import annotations

import time
from typing import Annotated
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI, Form
from pydantic import BaseModel, ConfigDict

from shared.values import Count, Instant, Text
from shared.web import guard, problems
from shared.web.bodies import Sent
from shared.web.correlated import Correlated
from shared.web.guard import may

JSON = {"Content-Type": "application/json"}
GOOD = b'{"id": "6f1d7c52-6a0c-5f0e-9a6b-3c1f0d5e8b77", "at": "2026-03-01T09:30:00+01:00", "lines": [{"count": 1}]}'


class Line(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")
    count: Count
    text: Text | None = None


class Order(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)
    id: UUID
    at: Instant
    lines: tuple[Line, ...]


@pytest.fixture
async def client():
    routes = guard.router()

    @routes.post("/orders")
    @may("anyone")
    async def place(order: Sent[Order]) -> int:
        return sum(line.count for line in order.lines)

    @routes.post("/form")
    @may("anyone")
    async def fill(name: Annotated[str, Form()]) -> str:
        return name

    app = FastAPI()
    app.include_router(routes)
    problems.install(app)
    transport = httpx2.ASGITransport(Correlated(app))
    async with httpx2.AsyncClient(transport=transport, base_url="http://rapport") as client:
        yield client


async def test_a_strict_model_takes_its_ids_and_instants_as_text(client):
    answer = await client.post("/orders", content=GOOD, headers=JSON)
    assert (answer.status_code, answer.json()) == (200, 1)


async def test_forms_stay_forms(client):
    assert (await client.post("/form", data={"name": "Ann"})).json() == "Ann"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (GOOD.replace(b'"count": 1', b'"count": 1, "count": 2'), 400),
        (GOOD[:-1] + b', "lines": []}', 400),
        (GOOD.decode().encode("utf-16"), 400),
        (b"\xef\xbb\xbf" + GOOD, 400),
        (GOOD.replace(b"lines", b"\xff"), 400),
        (GOOD.replace(b": 1", b": NaN"), 400),
        (GOOD.replace(b": 1", b": -Infinity"), 400),
        (b"[" * 200_000, 400),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
        (b"9" * 5_000, 400),
        (b"not json", 400),
        (b"", 422),
        (b"null", 422),
        (b"[]", 422),
        (GOOD.replace(b": 1", b": 1e400"), 422),
        (GOOD.replace(b": 1", b": 1.0"), 422),
        (GOOD.replace(b": 1", b': "1"'), 422),
        (GOOD.replace(b": 1", b": true"), 422),
        (GOOD.replace(b": 1", b": 1180591620717411303424"), 422),
        (GOOD.replace(b": 1", b': 1, "text": "\\ud800"'), 422),
        (GOOD.replace(b": 1", b': 1, "text": "a\\u0000"'), 422),
        (GOOD.replace(b": 1", b': 1, "role": "admin"'), 422),
        (GOOD.replace(b"+01:00", b""), 422),
        (GOOD.replace(b"6f1d7c52", b"urn:uuid"), 422),
    ],
)
async def test_a_body_that_two_readers_could_read_differently_is_refused(client, body, status):
    started = time.perf_counter()
    answer = await client.post("/orders", content=body, headers=JSON)
    assert answer.status_code == status
    assert answer.json()["errors"][0]["field"]
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json; charset=\x7f",
        "application/problem+json",
        "application/jsonp",
        "",
    ],
)
async def test_another_content_type_is_refused(client, kind):
    answer = await client.post("/orders", content=GOOD, headers={"Content-Type": kind})
    assert answer.status_code == 415


async def test_a_problem_deep_in_the_body_is_named_by_its_path(client):
    answer = await client.post("/orders", content=GOOD.replace(b"1}]", b'1}, {"count": 0}]'), headers=JSON)
    assert [error["field"] for error in answer.json()["errors"]] == ["lines[1].count"]


async def test_a_thousand_unknown_fields_get_a_short_answer(client):
    body = GOOD[:-1] + b"," + b",".join(b'"%s%d": 1' % (b"x" * 500, n) for n in range(1000)) + b"}"
    answer = await client.post("/orders", content=body, headers=JSON)
    assert answer.status_code == 422
    assert len(answer.content) < 40_000


async def test_the_description_of_the_api_shows_the_models(client):
    described = (await client.get("/openapi.json")).json()
    body = described["paths"]["/orders"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Order"}
    assert described["components"]["schemas"]["Order"]["additionalProperties"] is False


def test_a_route_cannot_take_a_body_that_is_read_loosely():
    with pytest.raises(TypeError, match=r"Sent\[Model\]"):

        @guard.router().post("/orders")
        @may("anyone")
        async def place(order: Order) -> int:
            return len(order.lines)
