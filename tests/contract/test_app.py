"""Apps as all services build them."""

from __future__ import annotations

import httpx2
import pytest
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from shared.web import guard
from shared.web.app import harden, service_app
from shared.web.guard import Principal, as_cli, may


class Nobody:
    def session(self, _secret):
        return None

    token = session


@pytest.fixture
def app():
    routes = guard.router()

    @routes.get("/api/v1/greeting")
    @may("analyst")
    async def greet(request: Request) -> str:
        return request.app.state.greeting

    def page(_request, template, status, document):
        return HTMLResponse(f"{template} {document['status']}", status)

    root = service_app("Rapport", page=page)
    root.mount("/contacts", service_app("Contacts", [routes], platform_state={"greeting": "hello"}, page=page))
    return root


def client_of(served):
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(served), base_url="http://rapport")


async def test_a_route_finds_what_its_app_was_given(app):
    async with client_of(as_cli(harden(app, Nobody()), "maria")) as client:
        assert (await client.get("/contacts/api/v1/greeting")).json() == "hello"


async def test_the_api_describes_itself_to_those_who_are_signed_in(app):
    async with client_of(harden(app, Nobody())) as client:
        assert (await client.get("/contacts/openapi.json")).status_code == 401
        for path in ("/docs", "/redoc", "/contacts/docs", "/contacts/redoc"):
            assert (await client.get(path)).status_code == 404
    async with client_of(as_cli(harden(app, Nobody()), "maria")) as client:
        described = (await client.get("/contacts/openapi.json")).json()
    assert described["servers"] == [{"url": "/contacts"}]
    operation = described["paths"]["/api/v1/greeting"]["get"]
    assert operation["x-may"] == ["analyst"]
    assert "application/problem+json" in operation["responses"]["default"]["content"]


async def test_a_browser_gets_the_frames_page_everywhere(app):
    async with client_of(harden(app, Nobody())) as client:
        for path in ("/nowhere", "/contacts/nowhere"):
            assert (await client.get(path, headers={"Accept": "text/html"})).text == "not_found.html 404"


def test_an_app_with_an_unguarded_route_is_not_served(app):
    loose = APIRouter()

    @loose.get("/loose")
    async def anything() -> str:
        return "never"

    app.include_router(loose)
    with pytest.raises(TypeError, match="/loose"):
        harden(app, Nobody())


def test_a_route_added_to_the_app_itself_is_guarded_too(app):
    with pytest.raises(TypeError, match="does not declare"):

        @app.get("/direct")
        async def direct() -> str:
            return "never"


async def test_one_principal_does_not_stay_for_the_next_request(app):
    hardened = harden(app, Nobody())
    principal = Principal("cli:maria", "cli", "admin")
    async with client_of(as_cli(hardened, "maria")) as client:
        assert (await client.get("/contacts/openapi.json")).status_code == 200
    async with client_of(hardened) as client:
        answer = await client.get("/contacts/openapi.json", headers={"X-Principal": principal.name})
    assert answer.status_code == 401
