"""Every route declares its callers; nobody else gets in, and nothing is read before that is clear."""

from __future__ import annotations

import asyncio
from typing import get_args

import httpx2
import pytest
from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from shared.web import guard, problems
from shared.web.bodies import Sent
from shared.web.guard import Authentication, Principal, as_cli, every_route, may, require_declarations

HTML = {"Accept": "text/html,application/xhtml+xml"}
PEOPLE = {
    "anna": Principal("anna", "staff", "specialist"),
    "bas": Principal("bas", "staff", "analyst"),
    "root": Principal("root", "staff", "admin"),
    "sync": Principal("sync", "service", "operator"),
    "carla": Principal("carla", "customer", "customer"),
}


class Note(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")
    text: str


class Identities:
    def session(self, session_id):
        return PEOPLE.get(session_id)

    def token(self, secret):
        return PEOPLE.get(secret)


@pytest.fixture
def app():
    routes = guard.router(prefix="/api/v1")

    @routes.get("/open")
    @may("anyone")
    async def open_to_all(request: Request) -> str | None:
        found = guard.find_principal(request)
        return found.actor if found else None

    @routes.get("/inside")
    @may("signed_in")
    async def inside(request: Request) -> str:
        return guard.principal(request).actor

    @routes.post("/notes")
    @may("specialist", "manager")
    async def write(note: Sent[Note]) -> str:
        return note.text

    @routes.get("/mine")
    @may("customer")
    async def mine(request: Request) -> str:
        return guard.principal(request).actor

    pages = guard.router()

    @pages.get("/page/{name:path}")
    @may("analyst")
    async def page(name: str) -> str:
        return name

    inner = FastAPI(openapi_url=None)
    inner.include_router(routes)
    inner.include_router(pages)
    outer = FastAPI(openapi_url=None)
    outer.mount("/contacts", inner)
    for one in (inner, outer):
        problems.install(one)
    return outer


@pytest.fixture
async def client(app):
    transport = httpx2.ASGITransport(Authentication(app, Identities()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://rapport") as client:
        yield client


def bearer(name):
    return {"Authorization": f"Bearer {name}"}


@pytest.mark.parametrize(
    ("caller", "allowed"),
    [
        (None, {"open"}),
        ("stranger", {"open"}),
        ("anna", {"open", "inside", "notes"}),
        ("bas", {"open", "inside", "page"}),
        ("sync", {"open", "inside"}),
        ("carla", {"open", "mine"}),
        ("root", {"open", "inside", "notes", "mine", "page"}),
    ],
)
async def test_only_those_who_are_named_get_in(client, caller, allowed):
    headers = bearer(caller) if caller else {}
    expected = 401 if caller in {None, "stranger"} else 403
    got = {
        "open": await client.get("/contacts/api/v1/open", headers=headers),
        "inside": await client.get("/contacts/api/v1/inside", headers=headers),
        "notes": await client.post("/contacts/api/v1/notes", headers=headers, json={"text": "hi"}),
        "mine": await client.get("/contacts/api/v1/mine", headers=headers),
        "page": await client.get("/contacts/page/x", headers=headers),
    }
    statuses = {name: answer.status_code for name, answer in got.items()}
    assert statuses == {name: 200 if name in allowed else expected for name in got}


async def test_a_session_cookie_is_as_good_as_a_token(client):
    answer = await client.get("/contacts/api/v1/inside", headers={"Cookie": "rapport_session=anna"})
    assert answer.json() == "staff:anna"


async def test_over_https_only_the_cookie_that_no_other_host_can_plant_counts(client):
    planted = {"Cookie": "rapport_session=anna"}
    assert (await client.get("https://rapport/contacts/api/v1/inside", headers=planted)).status_code == 401
    ours = {"Cookie": "__Host-rapport_session=anna"}
    assert (await client.get("https://rapport/contacts/api/v1/inside", headers=ours)).status_code == 200


async def test_a_wrong_token_is_not_made_good_by_a_cookie(client):
    both = bearer("stranger") | {"Cookie": "rapport_session=anna"}
    answer = await client.get("/contacts/api/v1/inside", headers=both)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_body_of_a_stranger_is_never_read(app):
    sent = []

    async def receive():
        raise AssertionError("the body was read")

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "path": "/contacts/api/v1/notes",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"13")],
    }
    await Authentication(app, Identities())(scope, receive, send)
    assert sent[0]["status"] == 401


async def test_a_person_is_sent_to_sign_in_and_back(client):
    answer = await client.get("/contacts/page/a%20b", params={"q": "x&y"}, headers=HTML)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Fcontacts%2Fpage%2Fa%2520b%3Fq%3Dx%2526y"


async def test_a_swapped_part_does_not_show_the_sign_in_page_inside_itself(client):
    answer = await client.get("/contacts/page/x", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"].startswith("/login?next=")


async def test_the_refusal_says_which_role_is_needed(client):
    answer = await client.post("/contacts/api/v1/notes", headers=bearer("bas"), json={"text": "hi"})
    assert answer.json()["detail"] == "This needs the role manager or specialist or admin; you are analyst."


async def test_the_command_line_is_the_administrator_whatever_the_request_claims(app):
    transport = httpx2.ASGITransport(as_cli(Authentication(app, Identities()), "maria"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://rapport") as client:
        answer = await client.get("/contacts/api/v1/inside", headers=bearer("anna"))
    assert answer.json() == "cli:maria"


async def test_one_callers_principal_never_reaches_another(client):
    names = ["anna", "bas", "sync", "root"] * 25
    answers = await asyncio.gather(*(client.get("/contacts/api/v1/inside", headers=bearer(name)) for name in names))
    assert [answer.json().partition(":")[2] for answer in answers] == names


def test_a_route_without_a_declaration_cannot_be_built():
    routes = guard.router()
    with pytest.raises(TypeError, match=r"/secret .*does not declare who may call it"):

        @routes.get("/secret")
        async def secret() -> str:
            return "never"


def test_a_declaration_with_an_unknown_role_is_refused():
    for who in ((), ("boss",)):
        with pytest.raises(TypeError, match="may"):
            may(*who)


def test_every_route_of_every_mounted_app_is_listed_with_its_callers(app):
    listed = {served.path: served.who for served in every_route(app)}
    assert listed == {
        "/contacts/api/v1/open": {"anyone"},
        "/contacts/api/v1/inside": {"signed_in"},
        "/contacts/api/v1/notes": {"specialist", "manager"},
        "/contacts/api/v1/mine": {"customer"},
        "/contacts/page/{name:path}": {"analyst"},
    }


def test_what_nothing_guards_is_found(app):
    require_declarations(app)
    app.mount("/files", may("anyone")(PlainTextResponse("open")))
    require_declarations(app)
    app.mount("/bare", PlainTextResponse("hidden"))
    app.routes.append(Route("/plain", PlainTextResponse("hidden")))
    with pytest.raises(TypeError, match="/bare, /plain"):
        require_declarations(app)


def test_a_mount_that_nothing_guards_cannot_claim_a_role(app):
    app.mount("/files", may("admin")(PlainTextResponse("hidden")))
    with pytest.raises(TypeError, match="/files"):
        require_declarations(app)


def test_every_role_of_staff_is_known():
    assert guard.ROLES | {"customer"} == set(get_args(guard.Role))
