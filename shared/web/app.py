"""Apps as all services build them: guarded routes, problem details, and the middlewares before them in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from starlette.types import ASGIApp, Lifespan

from shared.web import problems
from shared.web.command_route import CommandPaths
from shared.web.correlated import Correlated
from shared.web.guard import Authentication, GuardedRoute, Identities, may, require_declarations
from shared.web.problems import Page
from shared.web.security import BODY_SECONDS, MIB, Entrance

_FIELD_ERROR: Final = {
    "type": "object",
    "required": ["field", "message"],
    "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
}
_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": _FIELD_ERROR},
        "correlation_id": {"type": "string", "format": "uuid"},
    },
}
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    "default": {
        "description": "What is wrong (RFC 9457).",
        "content": {"application/problem+json": {"schema": _PROBLEM}},
    },
}


def service_app(
    title: str,
    routers: Iterable[APIRouter] = (),
    *,
    platform_state: Mapping[str, Any] | None = None,
    page: Page | None = None,
    lifespan: Lifespan[FastAPI] | None = None,
) -> FastAPI:
    """An app of guarded routes that describes itself at `/openapi.json` to whoever is signed in.

    Args:
        title: What the description calls it.
        routers: Made with `guard.router()`; what is missing a declaration is refused by `harden`.
        platform_state: What routes find on `request.app.state`.
        page: Renders problems for browsers, e.g. `Shell(…).problem`.
        lifespan: Only of a root app; those of mounted apps never run.
    """
    app = FastAPI(title=title, openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan, responses=_RESPONSES)
    app.router.route_class = GuardedRoute
    for name, value in (platform_state or {}).items():
        setattr(app.state, name, value)
    problems.install(app, page)

    @app.get("/openapi.json", include_in_schema=False)
    @may("signed_in")
    async def describe(request: Request) -> dict[str, Any]:
        """This API as OpenAPI 3.1."""
        return {**app.openapi(), "servers": [{"url": request.scope.get("root_path") or "/"}]}

    for router in routers:
        app.include_router(router)
    return app


def harden(
    app: FastAPI,
    identities: Identities,
    *,
    body_limit: int = MIB,
    larger_bodies: Mapping[str, int] | None = None,
    body_seconds: float = BODY_SECONDS,
) -> ASGIApp:
    """The root app behind every middleware, as a server may serve it.

    Args:
        app: With everything mounted in it.
        identities: Where sessions and tokens are looked up.
        body_limit: Bytes that a body may have.
        larger_bodies: Full paths with a limit of their own, e.g. imports.
        body_seconds: How long a body may take to arrive.

    Raises:
        TypeError: a route does not declare who may call it.
    """
    require_declarations(app)
    served: ASGIApp = Authentication(CommandPaths(app), identities)
    served = Entrance(served, body_limit, larger_bodies, body_seconds)
    return Correlated(served)
