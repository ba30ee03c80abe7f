"""Commands are served without FastAPI's solving: described, found, read and refused as FastAPI would."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.routing import iter_route_contexts
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount

from services.cli import services
from shared.embedded import opened
from shared.serving import application
from shared.settings import Settings
from shared.web import command_route
from shared.web.app import service_app
from shared.web.command_route import CommandPaths, CommandRoute
from shared.web.commands import Asked, asked
from shared.web.guard import GuardedRoute, as_cli, may

THING = "6f1d7c52-6a0c-5f0e-9a6b-3c1f0d5e8b77"
KEY = ("Idempotency-Key", "k-1")
SEEN = ("If-Match", '"0"')
JSON = ("Content-Type", "application/json")
REQUESTS = {
    "nothing but a body": ([KEY, SEEN, JSON], b"{}"),
    "an unknown field": ([KEY, SEEN, JSON], b'{"surprise": 1, "name": ""}'),
    "no object": ([KEY, SEEN, JSON], b"[null]"),
    "no body": ([KEY, SEEN, JSON], b""),
    "no JSON": ([KEY, SEEN, JSON], b"{"),
    "a key twice": ([KEY, SEEN, JSON], b'{"name": "a", "name": "b"}'),
    "no UTF-8": ([KEY, SEEN, JSON], b'{"name": "\xff"}'),
    "text": ([KEY, SEEN, ("Content-Type", "text/plain")], b"{}"),
    "another charset": ([KEY, SEEN, ("Content-Type", "application/json; charset=latin-1")], b"{}"),
    "no key": ([SEEN, JSON], b"{}"),
    "no key and no JSON": ([SEEN, JSON], b"{"),
    "two keys": ([KEY, ("Idempotency-Key", "k-2"), SEEN, JSON], b"{}"),
    "no version": ([KEY, JSON], b"{}"),
    "a bad version": ([KEY, ("If-Match", "*"), JSON], b"{}"),
    "a browser": ([KEY, SEEN, JSON, ("Accept", "text/html")], b"{}"),
}


def standard(router):
    """The same endpoints as FastAPI serves them."""
    plain = APIRouter(route_class=GuardedRoute, tags=router.tags)
    for route in router.routes:
        plain.add_api_route(route.path, route.endpoint, methods=route.methods, status_code=route.status_code)
    return plain


def as_fastapi_serves(service):
    """The service without a command route."""
    commands = [any(isinstance(route, CommandRoute) for route in router.routes) for router in service.routers]
    routers = [standard(r) if has else r for r, has in zip(service.routers, commands, strict=True)]
    return replace(service, routers=tuple(routers))


def commands_of(app, prefix=""):
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, Mount) and isinstance(route.app, FastAPI):
            yield from commands_of(route.app, prefix + route.path)
        elif isinstance(route, GuardedRoute) and any(each.call is asked for each in context.dependant.dependencies):
            yield prefix + context.path, route


@pytest.fixture
async def installation(tmp_path):
    async with opened(services(), Settings(data=tmp_path)) as running:
        yield running


@pytest.fixture
def root(installation):
    app = installation.app
    while not hasattr(app, "routes"):
        app = app._app
    return app


async def ask(app, path, headers, body):
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(as_cli(app, "maria")), base_url="http://here") as http:
        answer = await http.post(path, headers=[("X-Correlation-Id", THING), *headers], content=body)
    return answer.status_code, answer.headers.multi_items(), answer.content


async def test_every_command_is_answered_as_fastapi_would_answer_it(installation, root):
    plain = application([as_fastapi_serves(service) for service in services()], installation.platform)
    differing, statuses = [], set()
    for template, _ in commands_of(root):
        for path in {re.sub(r"{[^}]+}", value, template) for value in (THING, "1", "no-id")}:
            for name, (headers, body) in REQUESTS.items():
                ours, theirs = [await ask(app, path, headers, body) for app in (installation.app, plain)]
                statuses.add(ours[0])
                if ours != theirs:
                    differing.append((path, name, ours, theirs))
    assert differing == []
    assert statuses >= {400, 404, 415, 422, 428}


async def test_an_accepted_command_is_answered_with_its_length_told_once(installation):
    contact = {"customer_id": THING, "kind": "visit", "direction": "inbound", "summary": "Came by."}
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(as_cli(installation.app, "maria")), base_url="http://here"
    ) as http:
        answer = await http.post("/interactions/api/v1/interactions", json=contact, headers=[KEY])
    assert answer.status_code == 201
    assert answer.headers.get_list("content-length") == [str(len(answer.content))]
    assert answer.headers["etag"] == '"0"'


def test_every_command_is_found_at_once(root):
    commands = dict(commands_of(root))
    assert len(commands) > 15
    assert {path: type(route) for path, route in commands.items()} == dict.fromkeys(commands, CommandRoute)
    paths = CommandPaths(root)
    for template, route in commands.items():
        found = paths._find(template.replace("{", "").replace("}", ""))
        assert found is not None
        assert found[1] is route
        assert list(found[2]) == re.findall(r"{([^}]+)}", template)


@pytest.mark.parametrize(
    "path", ["/", "/contacts/api/v1/nothing", "/contacts/api/v1/customers/", "/login", "/api/v1/staff"]
)
def test_what_is_no_command_is_left_to_the_app(root, path):
    assert CommandPaths(root)._find(path) is None


@pytest.mark.parametrize("service", services(), ids=lambda service: service.name)
def test_a_command_is_described_as_any_other_route(service):
    ours, theirs = (service_app(each.name, each.routers).openapi() for each in (service, as_fastapi_serves(service)))
    assert ours == theirs
    assert ours["paths"]


async def test_another_method_is_refused_with_those_that_are_allowed(installation):
    transport = httpx2.ASGITransport(as_cli(installation.app, "maria"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://here") as http:
        answer = await http.put(f"/contacts/api/v1/customers/{THING}/rename")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def with_query(_asked: Asked, limit: Annotated[int, Query()] = 1) -> int:
    return limit


async def without_key(request: Request) -> str:
    return request.method


def in_a_thread(_asked: Asked) -> int:
    return 1


async def number(n: int) -> int:
    return n


async def with_solved_dependency(_asked: Asked, n: Annotated[int, Depends(number)]) -> int:
    return n


async def without_answer(_asked: Asked) -> None:
    pass


@pytest.mark.parametrize("endpoint", [with_query, without_key, in_a_thread, with_solved_dependency, without_answer])
def test_a_command_that_needs_more_of_fastapi_cannot_be_built(endpoint):
    with pytest.raises(TypeError, match="command /things"):
        command_route.router().post("/things")(may("specialist")(endpoint))


async def do(context: Asked) -> str:
    return context.actor


def app_with(path="/api/v1/things", **options):
    routes = command_route.router()
    routes.post(path)(may("specialist")(do))
    app = FastAPI(**options)
    app.include_router(routes)
    return app


def test_what_only_the_app_can_do_is_left_to_it():
    assert CommandPaths(app_with())._find("/api/v1/things") is not None
    assert CommandPaths(app_with("/things"))._find("/things") is None
    assert CommandPaths(app_with(middleware=[Middleware(GZipMiddleware)]))._find("/api/v1/things") is None


def test_dependencies_of_a_router_are_not_silently_left_out():
    routes = command_route.router()
    routes.post("/things")(may("specialist")(do))
    app = FastAPI()
    app.include_router(routes, prefix="/api/v1", dependencies=[Depends(number)])
    with pytest.raises(TypeError, match="/api/v1/things is included with dependencies"):
        CommandPaths(app)
