"""Every route of the whole installation, called by everybody who may not: the matrix grows with the app."""

from __future__ import annotations

import asyncio
import re
from typing import get_args
from urllib.parse import quote

import httpx2
import pytest
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount

from services.cli import services
from shared.embedded import opened
from shared.settings import Settings
from shared.web.guard import Principal, Role, allows, every_route

ANYBODY = {
    "/login",
    "/logout",
    "/preferences/language",
    "/preferences/theme",
    "/livez",
    "/readyz",
    "/api/v1/livez",
    "/api/v1/readyz",
    "/static",
}
THING = "6f1d7c52-6a0c-5f0e-9a6b-3c1f0d5e8b77"
HTML = {"Accept": "text/html"}


@pytest.fixture
async def installation(tmp_path):
    async with opened(services(), Settings(data=tmp_path)) as embedded:
        yield embedded


@pytest.fixture
def root(installation):
    """The app inside all middlewares, where the routes are."""
    app = installation.app
    while not hasattr(app, "routes"):
        app = app._app
    return app


def seen_by(app, principal):
    """A client whose requests carry this principal, or none."""

    async def served(scope, receive, send):
        await app({**scope, "state": {"principal": principal}}, receive, send)

    return httpx2.AsyncClient(transport=httpx2.ASGITransport(served), base_url="http://rapport")


HOSTILE = [
    "-1",
    "99999999999999999999999999",
    "1e400",
    "NaN",
    "' OR 1=1 --",
    "%_\\",
    "../../etc/passwd",
    "\u202e\u200b\ufeff",
    "\ud7ff\U0010ffff",
    "{{7*7}}<script>",
    "0001-01-01",
    "9999-12-31",
    "2026-02-30",
    "a" * 3_000,
    "*",
    '"',
    "(" * 500,
    "AND OR NOT NEAR",
]


def readable(routes, prefix=""):
    """Path and names of the query parameters of every GET route but endless ones."""
    for context in iter_route_contexts(routes):
        route = context.original_route
        if isinstance(route, Mount):
            yield from readable(route.routes, prefix + context.path)
        elif "GET" in context.methods:
            yield prefix + context.path, [field.alias for field in context.dependant.query_params]


def cells(root):
    for route in every_route(root):
        path = re.sub(r"{[^}]+}", THING, route.path)
        for method in route.methods:
            yield method, path, route.who


def test_each_route_says_who_may_call_it_and_few_are_open(root):
    routes = list(every_route(root))
    assert len(routes) > 20
    assert [route.path for route in routes if route.who is None] == []
    assert {route.path for route in routes if "anyone" in route.who} <= ANYBODY


async def test_nobody_gets_in_without_signing_in(installation, root):
    let_in = []
    async with seen_by(installation.app, None) as client:
        for method, path, who in cells(root):
            answer = await client.request(method, path)
            page = await client.request(method, path, headers=HTML)
            refused = answer.status_code == 401 and page.status_code in {303, 401}
            if "anyone" not in who and not refused:
                let_in.append((method, path, answer.status_code, page.status_code))
    assert let_in == []


@pytest.mark.parametrize("role", get_args(Role))
async def test_a_role_that_is_not_named_is_refused_everywhere(installation, root, role):
    principal = Principal("somebody", "customer" if role == "customer" else "staff", role)
    wrong = []
    async with seen_by(installation.app, principal) as client:
        for method, path, who in cells(root):
            if allows(who, principal):
                continue
            answer = await client.request(method, path)
            if answer.status_code != 403:
                wrong.append((method, path, answer.status_code))
    assert wrong == []


async def test_no_value_in_an_address_breaks_a_page_or_a_query(installation, root):
    broken = []
    async with asyncio.timeout(20):
        while installation.platform.health.problems():  # noqa: ASYNC110, until then /readyz says 503, as it should
            await asyncio.sleep(0.01)
    async with seen_by(installation.app, Principal("cli:maria", "cli", "admin")) as client:
        for path, names in readable(root.routes):
            for hostile in HOSTILE:
                asked = {name: hostile for name in names if name != "follow"}
                answer = await client.get(re.sub(r"{[^}]+}", quote(hostile, safe=""), path), params=asked, headers=HTML)
                if answer.status_code >= 500:
                    broken.append((path, hostile, answer.status_code))
                for name in asked:
                    answer = await client.get(re.sub(r"{[^}]+}", THING, path), params={name: hostile})
                    if answer.status_code >= 500:
                        broken.append((path, name, hostile, answer.status_code))
    assert broken == []
