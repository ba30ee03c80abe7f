"""The routes of commands: from the bytes of a request to those of its answer, without FastAPI's solving in between.

FastAPI describes them like any other route. To serve one it would try two apps' routes in turn, solve a graph of
dependencies, and validate the answer again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any, Final, cast

from fastapi import APIRouter
from fastapi._compat import ModelField
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
        _require_command(self)
        self._arguments = _Arguments(self)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the arguments, await the endpoint, send its answer."""
        if scope["method"] != "POST":
            await super().serve(scope, receive, send)
            return
        request = Request(scope, receive)
        response = Response(status_code=self.status_code or 200, media_type="application/json")
        said = await self.endpoint(**await self._arguments.read(request, response))
        response.body = cast("ModelField", self.response_field).serialize_json(said)
        response.headers["content-length"] = str(len(response.body))
        await response(scope, receive, send)


class _Arguments:
    """Where the arguments of an endpoint come from."""

    def __init__(self, route: APIRoute) -> None:
        self._taken = route.dependant
        self._body = route.body_field
        self._dependencies = [(cast("str", each.name), _giver(each)) for each in self._taken.dependencies]

    async def read(self, request: Request, response: Response) -> dict[str, Any]:
        """The arguments, in the order in which FastAPI complains: the body as such, dependencies, then all values."""
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


def _require_command(route: APIRoute) -> None:
    taken = route.dependant
    if all(each.call is not asked for each in taken.dependencies) or route.response_field is None:
        raise TypeError(f"command {route.path} must take Asked and say what it answers")
    plain = _takes_only(taken, _ENDPOINT_TAKES) and len(taken.body_params) <= 1
    plain = plain and all(_takes_only(each, _DEPENDENCY_TAKES) for each in taken.dependencies)
    texts = [field for each in taken.dependencies for field in each.header_params]
    if not plain or any(field.field_info.annotation != (str | None) for field in texts):
        raise TypeError(f"command {route.path} takes what only a route of FastAPI can give")


def _takes_only(taken: Dependant, what: set[str]) -> bool:
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
    """Stands before the root app and hands a command to its route at once."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        found = list(_commands(app))
        self._fixed = {path: (of, route) for path, of, route in found if not route.param_convertors}
        self._patterns = [(*compile_path(path)[::2], of, route) for path, of, route in found if route.param_convertors]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        found = self._find(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if found is None:
            await self._app(scope, receive, send)
        else:
            scope["app"], route, scope["path_params"] = found
            await route.handle(scope, receive, send)

    def _find(self, path: str) -> tuple[Starlette, CommandRoute, dict[str, Any]] | None:
        if path in self._fixed:
            return *self._fixed[path], {}
        for pattern, convertors, app, route in self._patterns:
            if match := pattern.match(path):
                return app, route, {name: convertors[name].convert(text) for name, text in match.groupdict().items()}
        return None


def _commands(app: Starlette, prefix: str = "") -> Iterator[tuple[str, Starlette, CommandRoute]]:
    """Every command of `app` and of what is mounted in it, by its full path."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        path = f"{prefix}{context.path}"
        if isinstance(route, Mount) and isinstance(route.app, Starlette):
            yield from _commands(route.app, path)
        elif isinstance(route, CommandRoute):
            yield path, app, route
