"""What a caller is told when something goes wrong: RFC 9457 problem details, or the frame's page for a person."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, TypedDict
from uuid import UUID, uuid4

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from shared.database_errors import AWAY
from shared.errors import (
    Conflict,
    RapportError,
    Refused,
    Reused,
    Stale,
    StoreFailed,
    StoreInUse,
    SubjectIsErased,
    TooFarBehind,
    TooLarge,
    Unreachable,
)
from shared.web import headers

CORRELATION: Final = b"x-correlation-id"
MAX_ERRORS: Final = 50
MAX_TEXT: Final = 300
_REFUSED: Final = {"invalid": 422, "conflict": 409, "missing": 404}
_REPEATABLE: Final = {503, 504}
_BROKEN: Final = "Something broke on our side. Nothing was changed by halves."
_TOLD: Final[Mapping[type[RapportError], tuple[int, str]]] = {
    Conflict: (409, "Somebody else changed this at the same moment. Load it again and repeat the command."),
    TooLarge: (413, "This is more than one event can carry. Make it shorter or send it in parts."),
    SubjectIsErased: (410, "The person was erased; nothing new is recorded about them."),
    StoreFailed: (503, "The change could not be stored. Repeat the request with the same key."),
    StoreInUse: (503, "Another process holds the store. Repeat the request later."),
    Unreachable: (503, "Not available right now. Repeat the request."),
    TooFarBehind: (504, "The page is not as far as you asked for yet. Repeat the request."),
}
_TEMPLATES: Final = {403: "forbidden.html", 404: "not_found.html"}
_log = logging.getLogger(__name__)

Page = Callable[[Request, str, int, dict[str, Any]], Response]
"""Renders a template of the frame: `(request, template, status, problem document) -> response`."""


class FieldError(TypedDict):
    """One field that is wrong: its path as in `lines[0].quantity`, and what is allowed there."""

    field: str
    message: str


class Problem(Exception):
    """An answer that says what is wrong; raised anywhere below a route or a middleware.

    `extra` holds extension members of the document, such as the current version of a stale edit.
    """

    def __init__(
        self,
        status: int,
        title: str | None = None,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.status = status
        self.title = title or HTTPStatus(status).phrase
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
        super().__init__(detail or self.title)

    @classmethod
    def of_field(cls, status: int, field: str, message: str, *, headers: Mapping[str, str] | None = None) -> Problem:
        """The problem with one field, parameter or header of the request."""
        return cls(status, detail=f"{field}: {message}", errors=[{"field": field, "message": message}], headers=headers)

    def document(self, correlation_id: UUID | None = None) -> dict[str, Any]:
        """The problem details as a JSON object."""
        document: dict[str, Any] = {"type": "about:blank", "title": self.title, "status": self.status}
        if self.detail is not None:
            document["detail"] = self.detail
        if self.errors:
            document["errors"] = self.errors
        if correlation_id is not None:
            document["correlation_id"] = str(correlation_id)
        return document | self.extra

    def response(self, correlation_id: UUID | None = None) -> Response:
        """The answer in `application/problem+json`."""
        body = json.dumps(self.document(correlation_id), allow_nan=False).encode()
        return Response(body, self.status, self.headers, media_type="application/problem+json")


def printable(text: str) -> str:
    """A short text that is safe to show and to log: no control characters, surrogates or text-direction marks."""
    shown = text[:MAX_TEXT]
    return "".join(character if character.isprintable() else "\ufffd" for character in shown)


def correlation_id(scope: Scope) -> UUID:
    """The id that ties this request to its log lines, its events and its answer."""
    state = scope.setdefault("state", {})
    if "correlation_id" not in state:
        state["correlation_id"] = _sent_id(headers.sent(scope, CORRELATION)) or uuid4()
    found: UUID = state["correlation_id"]
    return found


def wants_html(scope: Scope) -> bool:
    """Whether a browser asks for a page: HTML is accepted before JSON, outside an API path."""
    if "/api/" in scope["path"]:
        return False
    for part in (headers.sent(scope, b"accept") or "").lower().split(","):
        kind = part.partition(";")[0].strip()
        if kind == "text/html":
            return True
        if kind.endswith("json"):
            return False
    return False


def install(app: FastAPI, page: Page | None = None) -> None:
    """Answer every error of `app` with problem details; browsers get the frame's page when `page` is given."""

    def answer(request: Request, problem: Problem) -> Response:
        if page is None or not wants_html(request.scope):
            return problem.response(correlation_id(request.scope))
        document = problem.document(correlation_id(request.scope))
        response = page(request, _TEMPLATES.get(problem.status, "error.html"), problem.status, document)
        response.headers.update(problem.headers)
        return response

    async def on_problem(request: Request, error: Exception) -> Response:
        return answer(request, as_problem(error))

    for kind in (Problem, RequestValidationError, HTTPException, RapportError, *AWAY, Exception):
        app.add_exception_handler(kind, on_problem)


def _sent_id(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def as_problem(error: Exception) -> Problem:
    """What is told of an error: what it says itself if it is ours, nothing of one that nobody expected."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return invalid(error.errors())
        case HTTPException(status_code=status):
            phrase = HTTPStatus(status).phrase
            detail = printable(error.detail)
            return Problem(status, phrase, None if detail == phrase else detail, headers=error.headers)
        case RapportError():
            return _of_tree(error)
        case _ if isinstance(error, AWAY):
            return _of_tree(Unreachable())
        case _:
            return Problem(500, detail=_BROKEN)


def _of_tree(error: RapportError) -> Problem:
    if isinstance(error, Refused):
        errors: list[FieldError] = [{"field": error.field, "message": error.message}] if error.field else []
        return Problem(_REFUSED[error.kind], detail=error.message, errors=errors)
    if isinstance(error, Stale):
        current = error.current
        etag = {"ETag": f'"{current}"'}
        return Problem(412, "The thing has changed", str(error), headers=etag, extra={"current_version": current})
    if isinstance(error, Reused):
        return Problem.of_field(422, "Idempotency-Key", "was used before with other content; send a new one")
    if type(error) not in _TOLD:
        _log.error("an error that callers are not told of", exc_info=error)
    status, detail = _TOLD.get(type(error), (500, _BROKEN))
    return Problem(status, detail=detail, headers={"Retry-After": "1"} if status in _REPEATABLE else None)


def invalid(errors: Iterable[Mapping[str, Any]]) -> Problem:
    """The problem with what Pydantic refused: one entry per field, and never what was sent.

    What was sent may not be JSON, nor ours to show.
    """
    told: dict[str, FieldError] = {}
    for error in errors:
        field = _field(error["loc"])
        message = printable(error["msg"].removeprefix("Value error, "))
        told.setdefault(field, {"field": field, "message": message})
    listed = list(told.values())[:MAX_ERRORS]
    return Problem(422, "The request is not valid", f"{len(told)} field(s) need a change.", errors=listed)


def _field(location: Sequence[str | int]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location[1:])
    return printable(path.removeprefix(".")) or str(location[0])
