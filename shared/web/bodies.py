"""JSON bodies, read strictly: UTF-8 only, no key twice, no NaN, and validated in Pydantic's JSON mode."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from email.message import Message
from typing import Annotated, Any, Final, NoReturn, TypeVar

from fastapi.params import Form
from fastapi.routing import APIRoute
from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from starlette.requests import Request

from shared.web import headers
from shared.web.problems import Problem

_LARGE: Final = 64 * 1024
"""Bytes; checking more of them holds up everybody else if it is not done aside."""
_JSON: Final = "application/json"


@dataclass(frozen=True)
class _FromJson:
    """Validates the bytes of a body in JSON mode, where a strict model takes UUIDs and instants as text."""

    def __get_pydantic_core_schema__(self, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        def read(value: Any, inner: core_schema.ValidatorFunctionWrapHandler) -> Any:
            return source.model_validate_json(value) if isinstance(value, bytes) else inner(value)

        return core_schema.no_info_wrap_validator_function(read, handler(source))


Model = TypeVar("Model", bound=BaseModel)
Sent = Annotated[Model, _FromJson()]
"""The body of a guarded route: `async def register(command: Sent[RegisterCustomer])`."""


class JsonRequest(Request):
    """A request whose JSON body was read and checked: `json()` gives its bytes, for `Sent` to validate."""

    def __init__(self, request: Request, body: bytes) -> None:
        super().__init__(request.scope, request.receive)
        self._body = body

    async def json(self) -> Any:
        """The bytes of the body."""
        return self._body


async def checked(request: Request) -> bytes:
    """Read the JSON body of `request` and refuse what is no plain JSON.

    Another content type is refused first: a page of another site can post one without asking us before.
    """
    _require_json(request)
    body = await request.body()
    if len(body) > _LARGE:
        await asyncio.to_thread(_refuse_trickery, body)
    elif body:
        _refuse_trickery(body)
    return body


def check_body(route: APIRoute) -> None:
    """Raise TypeError when `route` takes a JSON body that is not declared with `Sent`."""
    if takes_json(route) and not any(isinstance(mark, _FromJson) for mark in _marks(route)):
        raise TypeError(f"route {route.path} takes a JSON body that is not one Sent[Model]")


def takes_json(route: APIRoute) -> bool:
    """Whether the route's body is JSON, not a form."""
    return route.body_field is not None and not isinstance(route.body_field.field_info, Form)


def _require_json(request: Request) -> None:
    sent = headers.sent(request.scope, b"content-type") or ""
    if sent == _JSON:  # what nearly all send: to take it apart would cost as much as to read the body
        return
    header = Message()
    header["content-type"] = sent
    charset = (header.get_content_charset() or "utf-8").replace("_", "-")
    if header.get_content_type() != _JSON or charset not in {"utf-8", "utf8"}:
        raise Problem.of_field(415, "Content-Type", "must be application/json in UTF-8")


def _refuse_trickery(body: bytes) -> None:
    try:
        _PLAIN.decode(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise Problem.of_field(400, "body", "must be JSON in UTF-8") from None
    except RecursionError:
        raise Problem.of_field(400, "body", "is nested too deep") from None
    except ValueError as error:
        position = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise Problem.of_field(400, "body", f"is not valid JSON{position}") from None


def _marks(route: APIRoute) -> list[Any]:
    return route.body_field.field_info.metadata if route.body_field is not None else []


def _no_key_twice(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise Problem.of_field(400, "body", "names a key twice in one object")


def _no_constant(name: str) -> NoReturn:
    raise Problem.of_field(400, "body", f"holds {name}, which is not JSON")


_PLAIN: Final = json.JSONDecoder(object_pairs_hook=_no_key_twice, parse_constant=_no_constant)
"""Made once: `json.loads` makes a decoder a call, which takes twice as long as a command's body."""
