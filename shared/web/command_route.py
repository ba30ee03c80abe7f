"""The routes of commands: from the bytes of a request to those of its answer, without FastAPI's solving in between.

FastAPI describes them like any other route. To serve one it would try the routes of two apps in turn, each behind its
own stack of middlewares, solve a graph of dependencies, and validate the answer again. Measured at 64 connections, the
server's CPU a command, append included: 0.80 ms as FastAPI serves it, 0.61 as `CommandRoute` does once FastAPI found
it, 0.44 when `CommandPaths` finds it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields
from re import Pattern
from typing import Any, Final, cast

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, compile_path
from starlette.types import Receive, Scope, Send

from shared.web import headers
from shared.web.bodies import checked
from shared.web.commands import asked
from shared.web.guard import GuardedRoute
from shared.web.problems import invalid

_MISSING: Final = {"loc": ("body",), "msg": "Field required"}
_ENDPOINT_TAKES: Final = {"path_params", "body_params", "dependencies", "request_param_name", "response_param_name"}
_DEPENDENCY_TAKES: Final = {"header_params", "request_param_name"}
_DESCRIBES: Final = {"name", "call", "path", "use_cache", "scope", "concurrency"}


class CommandRoute(GuardedRoute):
    """A guarded route that takes `Asked`.

    Its endpoint may also take what stands in the path, one `Sent` body, the request, the response, and dependencies
    that need no more than the request and its headers.

    Raises:
        TypeError: the endpoint takes something else, or no `Asked`.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **kwargs: Any) -> None:
        super().__init__(path, endpoint, **kwargs)
        _require_plain(self)
        if self.response_field is None:
            raise TypeError(f"command {path} does not say what it answers")
        self._arguments = _Arguments(self)
        self._to_json = self.response_field.serialize_json

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the arguments, await the endpoint, send its answer."""
        if scope["method"] != "POST":
            await super().serve(scope, receive, send)
            return
        request = Request(scope, receive)
        response = Response(status_code=self.status_code or 200, media_type="application/json")
        said = await self.endpoint(**await self._arguments.read(request, response))
        response.body = self._to_json(said)
        response.headers["content-length"] = str(len(response.body))
        await response(scope, receive, send)


_Found = tuple[Starlette, "CommandRoute", dict[str, str]]


class _Arguments:
    """Where the arguments of an endpoint come from."""

    def __init__(self, route: APIRoute) -> None:
        self._taken = route.dependant
        self._body = route.body_field
        self._dependencies = [(cast("str", each.name), _giver(each)) for each in self._taken.dependencies]

    async def read(self, request: Request, response: Response) -> dict[str, Any]:
        """The arguments by name.

        Raises:
            Problem: as FastAPI would find it: first the body as such, then the dependencies, then all values at once.
        """
        sent = await checked(request) if self._body else b""
        arguments = {name: await give(request) for name, give in self._dependencies}
        errors: list[dict[str, Any]] = []
        for field in self._taken.path_params:
            value = request.path_params[field.alias]
            arguments[field.name], wrong = field.validate(value, loc=("path", field.alias))
            errors += wrong
        if self._body:
            value, wrong = self._body.validate(sent, loc=("body",)) if sent else (None, [_MISSING])
            arguments[self._body.name] = value
            errors += wrong
        if errors:
            raise invalid(errors)
        if self._taken.request_param_name:
            arguments[self._taken.request_param_name] = request
        if self._taken.response_param_name:
            arguments[self._taken.response_param_name] = response
        return arguments


def _require_plain(route: APIRoute) -> None:
    taken = route.dependant
    if all(each.call is not asked for each in taken.dependencies):
        raise TypeError(f"command {route.path} does not take Asked")
    plain = _takes_only(taken, _ENDPOINT_TAKES) and len(taken.body_params) <= 1
    plain = plain and all(_takes_only(each, _DEPENDENCY_TAKES) for each in taken.dependencies)
    texts = [field.field_info.annotation for each in taken.dependencies for field in each.header_params]
    if not plain or any(annotation != str | None for annotation in texts):
        raise TypeError(f"command {route.path} takes what only FastAPI can give")


def _takes_only(taken: Dependant, what: set[str]) -> bool:
    """Whether a coroutine takes nothing else: a plain function would have to be called in a thread."""
    given = {field.name for field in fields(taken) if getattr(taken, field.name)}
    return inspect.iscoroutinefunction(taken.call) and given <= what | _DESCRIBES


def _giver(dependency: Dependant) -> Callable[[Request], Any]:
    call = cast("Callable[..., Any]", dependency.call)
    taken = [(field.name, field.alias.lower().encode()) for field in dependency.header_params]
    wants_request = dependency.request_param_name

    def give(request: Request) -> Any:
        arguments: dict[str, Any] = {name: headers.sent(request.scope, alias) for name, alias in taken}
        if wants_request:
            arguments[wants_request] = request
        return call(**arguments)

    return give


def router(**kwargs: Any) -> APIRouter:
    """An `APIRouter` whose POST routes are commands; the others are guarded routes. Takes the same arguments."""

    def route(path: str, endpoint: Callable[..., Any], **described: Any) -> GuardedRoute:
        kind = CommandRoute if "POST" in (described.get("methods") or ()) else GuardedRoute
        return kind(path, endpoint, **described)

    return APIRouter(route_class=cast("type[APIRoute]", route), **kwargs)


class CommandPaths:
    """Stands before the root app and hands a command to its route at once.

    It leaves out what only the app can do: commands outside of an API path, where a browser is answered with a page,
    and those of an app with middlewares of its own.

    Raises:
        TypeError: a command's router was included with dependencies.
    """

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self._fixed: dict[str, _Found] = {}
        self._patterns: list[tuple[Pattern[str], Starlette, CommandRoute]] = []
        for path, of, route in _commands(app):
            pattern, _, names = compile_path(path)
            if "/api/" in path and not names:
                self._fixed[path] = of, route, {}
            elif "/api/" in path:
                self._patterns.append((pattern, of, route))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        found = self._find(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if found is None:
            await self._app(scope, receive, send)
        else:
            scope["app"], route, scope["path_params"] = found
            await route.handle(scope, receive, send)

    def _find(self, path: str) -> _Found | None:
        if path in self._fixed:
            return self._fixed[path]
        for pattern, app, route in self._patterns:
            if match := pattern.match(path):
                return app, route, match.groupdict()
        return None


def _commands(app: Starlette, prefix: str = "") -> Iterator[tuple[str, Starlette, CommandRoute]]:
    """The commands of `app` and of what is mounted in it, by their full paths."""
    if app.user_middleware:
        return
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        path = f"{prefix}{context.path}"
        if isinstance(route, Mount) and isinstance(route.app, Starlette):
            yield from _commands(route.app, path)
        elif isinstance(route, CommandRoute):
            if context.dependencies:
                raise TypeError(f"command {path} is included with dependencies, which a command does not solve")
            yield path, app, route
