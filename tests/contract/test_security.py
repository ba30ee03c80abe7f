"""What stands before every route: hostile requests end there, and every answer tells the browser what we allow."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager

import httpx2
import pytest
import uvicorn
from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel

from shared.web import guard
from shared.web.app import harden, service_app
from shared.web.bodies import Sent
from shared.web.guard import Principal, may

ANNA = Principal("anna", "staff", "specialist")
IMPORT = "/contacts/api/v1/import"
LIMIT = 1_000
SIGNED_IN = {"Cookie": "rapport_session=anna"}


class Text(BaseModel):
    text: str


class Identities:
    def session(self, session_id):
        return ANNA if session_id == "anna" else None

    token = session


def build(**limits):
    routes = guard.router()

    @routes.post("/api/v1/text")
    @may("signed_in")
    async def text(sent: Sent[Text]) -> int:
        return len(sent.text)

    @routes.post("/api/v1/import")
    @may("signed_in")
    async def import_(sent: Sent[Text]) -> int:
        return len(sent.text)

    @routes.post("/raw")
    @may("anyone")
    async def raw(request: Request) -> int:
        try:
            return len(await request.body())
        except Exception:  # noqa: BLE001, an app that hides what went wrong with the body
            return -1

    @routes.get("/events")
    @may("anyone")
    async def events() -> StreamingResponse:
        async def lines():
            for number in range(3):
                yield f"{number}\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    @routes.get("/picture")
    @may("anyone")
    async def picture() -> Response:
        return Response(b"", headers={"Cache-Control": "public, max-age=9"})

    @routes.get("/bug")
    @may("anyone")
    async def bug() -> None:
        raise RuntimeError("canary")

    root = service_app("Rapport")
    root.mount("/contacts", service_app("Contacts", [routes]))
    return harden(root, Identities(), body_limit=LIMIT, larger_bodies={IMPORT: 10 * LIMIT}, **limits)


@pytest.fixture
async def client():
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(build()), base_url="http://rapport") as client:
        yield client


@asynccontextmanager
async def serving(app):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, http="httptools", log_level="critical", lifespan="off")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve([listener]))
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await task


async def talk(port, *parts):
    """Send raw bytes, and return all that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionError:
        return b"reset"
    finally:
        writer.close()


CHUNKED = b"POST /contacts/raw HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
HOSTILE = {
    "no host": (b"GET /contacts/events HTTP/1.1\r\n\r\n", 400),
    "empty host": (b"GET /contacts/events HTTP/1.1\r\nHost:\r\n\r\n", 400),
    "two hosts": (b"GET /contacts/events HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "length and chunks": (
        b"POST /contacts/raw HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\nGET /contacts/bug HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    "two lengths": (
        b"POST /contacts/raw HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        400,
    ),
    "two encodings": (CHUNKED.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n"), 400),
    "hidden encoding": (b"POST /contacts/raw HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    "folded header": (b"GET /contacts/events HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", 400),
    "space before colon": (b"POST /contacts/raw HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\nabcd", 400),
    "bare line feeds": (b"GET /contacts/events HTTP/1.1\nHost: a\nX: \x00\n\n", 400),
    "negative length": (b"POST /contacts/raw HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
    "huge header": (b"GET /contacts/events HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 431),
    "many headers": (b"GET /contacts/events HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 10_000 + b"\r\n", 431),
    "long address": (b"GET /contacts/events?" + b"a=1&" * 5_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    "address not UTF-8": (b"GET /contacts/%ff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "surrogate in query": (b"GET /contacts/events?q=%ED%A0%80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "NUL in path": (b"GET /contacts/ev%00ents HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "line break in path": (b"GET /contacts/ev%0d%0aents HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "NUL in query": (b"GET /contacts/events?q=%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "announced body too long": (
        b"POST /contacts/raw HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999\r\n\r\nabc",
        413,
    ),
    "chunked body too long": (b"%s%s" % (CHUNKED, b"190\r\n%s\r\n" % (b"x" * 400) * 3), 413),
}


@pytest.fixture(scope="module")
def hostile_answers():
    """One server for all hostile requests: what one of them does to it shows in the next."""

    async def ask():
        answers = {}
        async with serving(build(body_seconds=5)) as port:
            for name, (request, _) in HOSTILE.items():
                answers[name] = await talk(port, request)
            answers["well"] = await talk(port, b"GET /contacts/events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return answers

    return asyncio.run(ask())


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_request_gets_one_refusal_and_the_door(hostile_answers, name):
    answer = hostile_answers[name]
    assert answer.startswith(b"HTTP/1.1 %d " % HOSTILE[name][1])
    assert answer.count(b"HTTP/1.1 ") == 1


def test_the_server_is_well_afterwards(hostile_answers):
    assert hostile_answers["well"].startswith(b"HTTP/1.1 200 ")


async def test_a_body_that_drips_is_cut_off_while_others_are_served():
    async with serving(build(body_seconds=0.5)) as port:
        head = b"POST /contacts/raw HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n"
        dripping = [asyncio.create_task(talk(port, head, b"x")) for _ in range(20)]
        quick = await talk(port, b"GET /contacts/events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert quick.startswith(b"HTTP/1.1 200 ")
        for answer in await asyncio.gather(*dripping):
            assert answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/contacts/raw", LIMIT, 200),
        ("/contacts/raw", LIMIT + 1, 413),
        (IMPORT, 10 * LIMIT, 200),
        (IMPORT, 10 * LIMIT + 1, 413),
    ],
)
async def test_each_path_has_its_own_limit(client, path, size, status):
    body = b'{"text": "%s"}' % (b"x" * (size - len(b'{"text": ""}')))

    async def chunks():
        yield body[:-1]
        yield body[-1:]

    headers = {"Authorization": "Bearer anna", "Content-Type": "application/json"}
    for content in (body, chunks()):
        answer = await client.post(path, content=content, headers=headers)
        assert answer.status_code == status


ELSEWHERE = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://rapport"},
    {"Sec-Fetch-Site": ""},
    {"Origin": "http://evil.example"},
    {"Origin": "http://rapport.evil.example"},
    {"Origin": "http://rapport:81"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://[evil"},
]


@pytest.mark.parametrize("headers", ELSEWHERE)
@pytest.mark.parametrize("who", [SIGNED_IN, {}])
async def test_a_page_of_another_site_cannot_change_anything(client, headers, who):
    for path in ("/contacts/raw", "/contacts/api/v1/text"):
        answer = await client.post(path, json={"text": "x"}, headers=headers | who)
        assert answer.status_code == 403
        assert answer.json()["title"] == "Cross-origin request refused"


@pytest.mark.parametrize(
    "headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://rapport"}]
)
async def test_our_own_pages_and_programs_can(client, headers):
    answer = await client.post("/contacts/api/v1/text", json={"text": "x"}, headers=headers | SIGNED_IN)
    assert answer.status_code == 200


async def test_a_form_of_another_kind_cannot_pass_for_json(client):
    answer = await client.post(
        "/contacts/api/v1/text", content=b'{"text": "x"}', headers=SIGNED_IN | {"Content-Type": "text/plain"}
    )
    assert answer.status_code == 415


@pytest.mark.parametrize("path", ["/contacts/events", "/contacts/bug", "/nowhere", "/contacts/api/v1/text", "/%ff"])
async def test_every_answer_tells_the_browser_what_we_allow(client, path):
    headers = (await client.get(path)).headers
    assert headers["content-security-policy"] == (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert headers["x-correlation-id"]


async def test_an_answer_may_say_itself_how_long_it_keeps(client):
    assert (await client.get("/contacts/picture")).headers["cache-control"] == "public, max-age=9"


async def test_a_stream_passes_untouched(client):
    assert (await client.get("/contacts/events")).text == "0\n1\n2\n"
