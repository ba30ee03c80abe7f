"""What a caller is told when something goes wrong."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Annotated
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI, Query
from fastapi.responses import HTMLResponse, StreamingResponse
from starlette.exceptions import HTTPException

from shared import errors
from shared.web import problems
from shared.web.correlated import Correlated
from shared.web.problems import Problem

CORRELATION = "6f1d7c52-6a0c-5f0e-9a6b-3c1f0d5e8b77"
RAISED = {
    "problem": Problem(418, "Teapot", "short and stout", headers={"X-Tea": "green"}),
    "invalid": errors.Refused("must not be negative", field="lines[0].quantity"),
    "conflict": errors.Refused("is cancelled already", kind="conflict"),
    "missing": errors.Refused("no such order", kind="missing"),
    "raced": errors.Conflict("order-1 moved on"),
    "stale": errors.Stale(7),
    "reused": errors.Reused("again"),
    "large": errors.TooLarge("300 KiB"),
    "erased": errors.SubjectIsErased("customer-1"),
    "unreachable": errors.Unreachable("db-7.internal:5432"),
    "behind": errors.TooFarBehind(9, 4),
    "http": HTTPException(451, "not \x1b[31m here"),
    "bug": RuntimeError("password=hunter2"),
    "unreadable": errors.UnreadableEvent("secret payload"),
}


@pytest.fixture
def app():
    app = FastAPI(openapi_url=None)

    @app.get("/raise/{name}")
    @app.get("/api/v1/raise/{name}")
    async def raise_it(name: str, limit: Annotated[int, Query(ge=1)] = 1) -> None:
        assert limit
        raise RAISED[name]

    @app.get("/half")
    async def half() -> StreamingResponse:
        async def parts():
            yield b"one"
            raise RuntimeError("lost the rest")

        return StreamingResponse(parts())

    def page(_request, template, status, document):
        return HTMLResponse(f"<h1>{template} {document['title']} {document['correlation_id']}</h1>", status)

    problems.install(app, page)
    return app


@pytest.fixture
async def client(app):
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(Correlated(app)), base_url="http://rapport") as client:
        yield client


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("problem", 418),
        ("invalid", 422),
        ("conflict", 409),
        ("missing", 404),
        ("raced", 409),
        ("stale", 412),
        ("reused", 422),
        ("large", 413),
        ("erased", 410),
        ("unreachable", 503),
        ("behind", 504),
        ("http", 451),
        ("bug", 500),
        ("unreadable", 500),
    ],
)
async def test_every_error_becomes_problem_details(client, name, status):
    answer = await client.get(f"/raise/{name}")
    document = answer.json()
    assert answer.status_code == document["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert document["title"]
    assert answer.headers["x-correlation-id"] == document["correlation_id"]
    assert answer.text.isprintable()


async def test_a_refusal_names_its_field(client):
    document = (await client.get("/raise/invalid")).json()
    assert document["errors"] == [{"field": "lines[0].quantity", "message": "must not be negative"}]


async def test_a_stale_edit_learns_the_current_version(client):
    answer = await client.get("/raise/stale")
    assert answer.json()["current_version"] == 7
    assert answer.headers["etag"] == '"7"'


@pytest.mark.parametrize("name", ["bug", "unreadable", "unreachable"])
async def test_details_of_our_own_trouble_stay_with_us(client, name):
    answer = await client.get(f"/raise/{name}")
    assert not any(secret in answer.text for secret in ("hunter2", "secret", "internal", "Traceback"))


async def test_a_bug_is_logged_with_the_id_that_the_caller_sees(client, caplog):
    with caplog.at_level(logging.ERROR):
        answer = await client.get("/raise/bug")
    assert any(answer.headers["x-correlation-id"] in record.getMessage() for record in caplog.records)


async def test_the_callers_correlation_id_comes_back(client):
    answer = await client.get("/raise/missing", headers={"X-Correlation-Id": CORRELATION})
    assert answer.headers["x-correlation-id"] == answer.json()["correlation_id"] == CORRELATION


@pytest.mark.parametrize("sent", ["1", "x" * 5000, "a\tb"])
async def test_another_correlation_id_is_replaced(client, sent):
    answer = await client.get("/raise/missing", headers={"X-Correlation-Id": sent})
    assert UUID(answer.headers["x-correlation-id"]).version == 4


async def test_a_wrong_parameter_is_named_and_not_repeated(client):
    answer = await client.get("/raise/bug", params={"limit": "canary\ud7ff\x00"})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["limit"]
    assert "canary" not in answer.text


@pytest.mark.parametrize(("name", "template"), [("missing", "not_found"), ("bug", "error"), ("raced", "error")])
async def test_a_browser_gets_a_page_of_the_frame(client, name, template):
    accept = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    answer = await client.get(f"/raise/{name}", headers=accept)
    assert answer.headers["content-type"].startswith("text/html")
    assert f"{template}.html" in answer.text
    assert answer.headers["x-correlation-id"] in answer.text
    api = await client.get(f"/api/v1/raise/{name}", headers=accept)
    assert api.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/nothing/here", "/raise/bug"])
async def test_unknown_paths_and_methods_are_problems_too(client, path):
    assert (await client.delete(path)).json()["status"] in {404, 405}


async def test_an_answer_that_breaks_in_the_middle_is_cut_not_completed(app):
    sent = []

    arriving = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive():
        return next(arriving, None) or await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/half", "query_string": b"", "headers": [], "state": {}}
    with pytest.raises(RuntimeError, match="lost the rest"):
        await Correlated(app)(scope, receive, send)
    assert [message for message in sent if message.get("more_body") is False] == []


def test_a_problem_never_holds_what_json_cannot():
    with pytest.raises(ValueError, match="JSON"):
        Problem(400, extra={"number": float("nan")}).response()
    assert json.loads(Problem(400, detail="\ud800").response().body)["detail"] == "\ud800"
