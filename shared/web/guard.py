"""Who is asking, and who may: every route declares its callers, and one that declares none cannot be served."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeVar, cast, get_args
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request, cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.web import headers
from shared.web.bodies import JsonRequest, check_body, checked, takes_json
from shared.web.lookups import Lookups
from shared.web.problems import Problem, wants_html

Kind = Literal["staff", "service", "cli", "customer"]
Role = Literal["specialist", "analyst", "manager", "operator", "privacy_officer", "admin", "customer"]
Who = Role | Literal["anyone", "signed_in"]
Endpoint = TypeVar("Endpoint")
ROLES: Final = frozenset(get_args(Role)) - {"customer"}
"""The roles that staff and service tokens may have."""
_WHO: Final = frozenset(get_args(Role)) | {"anyone", "signed_in"}
_DECLARED: Final = "__may__"


@dataclass(frozen=True)
class Principal:
    """Somebody whom we know: a member of staff, a service token, a person at the command line, a customer."""

    name: str
    kind: Kind
    role: Role

    @property
    def actor(self) -> str:
        """The name under which their events are recorded, e.g. `staff:anna` or `cli:root`."""
        return self.name if self.kind == "cli" else f"{self.kind}:{self.name}"


def may(*who: Who) -> Callable[[Endpoint], Endpoint]:
    """Declare who may call an endpoint: roles, "signed_in" (any staff or service), or "anyone" (no sign-in).

    The role `admin` may everything. A customer is let in only where "customer" is named.
    """
    unknown = set(who) - _WHO
    if unknown or not who:
        raise TypeError(f"may() takes {', '.join(sorted(_WHO))}; got {sorted(unknown) or 'nothing'}")

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _DECLARED, frozenset(who))
        return endpoint

    return declare


def declared(endpoint: object) -> frozenset[Who] | None:
    """Who may call `endpoint`, or None when it does not say."""
    return getattr(endpoint, _DECLARED, None)


def allows(who: frozenset[Who], principal: Principal | None) -> bool:
    """Whether a declaration lets this caller in."""
    if "anyone" in who:
        return True
    if principal is None:
        return False
    if principal.role == "admin" or principal.role in who:
        return True
    return "signed_in" in who and principal.kind != "customer"


def find_principal(connection: HTTPConnection) -> Principal | None:
    """The caller, or None when nobody is signed in."""
    return cast("Principal | None", connection.scope.get("state", {}).get("principal"))


def principal(request: Request) -> Principal:
    """The caller of a route that needs one; a FastAPI dependency as well."""
    found = find_principal(request)
    if found is None:
        raise Problem(401, detail="Sign in, or send a token.", headers={"WWW-Authenticate": "Bearer"})
    return found


class GuardedRoute(APIRoute):
    """A route that knows its callers: refuses to be built without them, and refuses others before reading the body."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **kwargs: Any) -> None:
        who = declared(endpoint)
        if who is None:
            raise TypeError(f"route {path} ({endpoint.__qualname__}) does not declare who may call it: add @may(…)")
        self.who = who
        described = {"x-may": sorted(who), **(kwargs.pop("openapi_extra", None) or {})}
        super().__init__(path, endpoint, openapi_extra=described, **kwargs)
        check_body(self)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request if its caller may, else answer 401, 403 or the way to the sign-in page."""
        caller = scope.get("state", {}).get("principal")
        if allows(self.who, caller):
            await self.serve(scope, receive, send)
        elif caller is None:
            await _to_sign_in(Request(scope))(scope, receive, send)
        else:
            needed = " or ".join(sorted(self.who)) + " or admin"
            raise Problem(403, "Not allowed", f"This needs the role {needed}; you are {caller.role}.")

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request of a caller who may."""
        await super().handle(scope, receive, send)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of FastAPI, given a request that reads JSON strictly."""
        handler = super().get_route_handler()
        strict = takes_json(self)

        async def strictly(request: Request) -> Response:
            return await handler(JsonRequest(request, await checked(request)) if strict else request)

        return strictly


def router(**kwargs: Any) -> APIRouter:
    """An `APIRouter` of guarded routes; takes the same arguments."""
    return APIRouter(route_class=GuardedRoute, **kwargs)


@dataclass(frozen=True)
class Served:
    """One route of an app as it is reached from outside; `who` is None when nothing guards it."""

    path: str
    methods: frozenset[str]
    who: frozenset[Who] | None


def every_route(app: Starlette, prefix: str = "") -> Iterator[Served]:
    """All routes of `app` and of what is mounted in it."""
    return _walk(app.routes, prefix)


def _walk(routes: list[BaseRoute], prefix: str) -> Iterator[Served]:
    for context in iter_route_contexts(routes):
        route = context.original_route
        path = f"{prefix}{context.path}"
        if isinstance(route, Mount) and route.routes:
            yield from _walk(route.routes, path)
        elif isinstance(route, Mount):
            # Nothing below asks who is there, so only what is open to all may be mounted bare.
            who = declared(route.app)
            yield Served(path, frozenset(), who if who is not None and "anyone" in who else None)
        else:
            who = route.who if isinstance(route, GuardedRoute) else None
            yield Served(path, frozenset(context.methods or ()), who)


def require_declarations(app: Starlette) -> None:
    """Raise TypeError naming the routes of `app` that do not say who may call them."""
    bare = sorted({served.path for served in every_route(app) if served.who is None})
    if bare:
        raise TypeError(f"these routes do not declare who may call them: {', '.join(bare)}")


class Identities(Protocol):
    """Where sessions and tokens are looked up."""

    def session(self, session_id: str) -> Principal | None:
        """The owner of a live session."""

    def token(self, secret: str) -> Principal | None:
        """The owner of a token."""


class Authentication:
    """Middleware that finds out who is asking: a preset principal, a Bearer token, or the session cookie."""

    def __init__(self, app: ASGIApp, identities: Identities) -> None:
        self._app = app
        self._tokens = Lookups(identities.token)
        self._sessions = Lookups(identities.session)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request with `scope["state"]["principal"]` set."""
        if scope["type"] == "http":
            state = scope.setdefault("state", {})
            if "principal" not in state:
                state["principal"] = await self._identify(scope)
        await self._app(scope, receive, send)

    async def _identify(self, scope: Scope) -> Principal | None:
        scheme, _, secret = (headers.sent(scope, b"authorization") or "").partition(" ")
        if scheme.lower() == "bearer":
            return await self._tokens.find(secret.strip())
        session_id = session_cookie(scope)
        return await self._sessions.find(session_id) if session_id else None


def cookie_name(scope: Scope) -> str:
    """The session cookie's name; over https the `__Host-` prefix keeps other hosts from planting one."""
    return "__Host-rapport_session" if scope["scheme"] == "https" else "rapport_session"


def session_cookie(scope: Scope) -> str | None:
    """The session id that the browser sent."""
    return cookie_parser(headers.sent(scope, b"cookie") or "").get(cookie_name(scope))


def as_cli(app: ASGIApp, user: str) -> ASGIApp:
    """`app` as served on the Unix socket that only `user` can open: they are the administrator."""
    caller = Principal(f"cli:{user}", "cli", "admin")

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "state": {**scope.get("state", {}), "principal": caller}}
        await app(scope, receive, send)

    return served


def _to_sign_in(request: Request) -> Response:
    """For a person the way to the sign-in page and back here, for a program a 401."""
    challenge = Problem(401, detail="Sign in, or send a token.", headers={"WWW-Authenticate": "Bearer"})
    if not wants_html(request.scope) and "hx-request" not in request.headers:
        raise challenge
    here = quote(request.scope["path"]) + (f"?{request.url.query}" if request.url.query else "")
    login = f"/login?next={quote(here if request.method == 'GET' else '/', safe='')}"
    if "hx-request" in request.headers:
        return Response(status_code=401, headers={"HX-Redirect": login})
    return RedirectResponse(login, 303)
