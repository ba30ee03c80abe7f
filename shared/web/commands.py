"""What every command over HTTP has in common: its key, the version it expects, and its answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID, uuid5

from fastapi import Depends, Header
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from shared.decider import Context, Outcome
from shared.ids import NS
from shared.web import guard, headers, tokens
from shared.web.problems import Problem, correlation_id
from shared.web.tokens import Token

POSITION_HEADER: Final = "Rapport-Position"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_ETAG: Final = re.compile(r'"(0|[1-9][0-9]{0,15})"')
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def context_of(request: Request, key: str | None, target: str | None = None) -> Context:
    """Who asks for what, under which key: the same three always give the same command id.

    `target` is what the command is for; a page that posts for an API route names that route's path.

    Raises:
        Problem: 400 when the key is missing or is not 1 to 255 visible ASCII characters.
    """
    if key is None or not _KEY.fullmatch(key):
        raise Problem.of_field(400, "Idempotency-Key", "must be sent with a command: 1 to 255 visible ASCII characters")
    actor = guard.principal(request).actor
    traceparent = headers.sent(request.scope, b"traceparent") or ""
    return Context(
        actor=actor,
        command_id=uuid5(NS, f"{actor}\n{target or request.scope['path']}\n{key}"),
        correlation_id=correlation_id(request.scope),
        traceparent=traceparent if _TRACEPARENT.fullmatch(traceparent) else None,
    )


async def asked(
    request: Request,
    idempotency_key: Annotated[str | None, Header(description="Repeat it to repeat the request safely.")] = None,
) -> Context:
    """What `Asked` gives."""
    if [name for name, _ in request.scope["headers"]].count(b"idempotency-key") > 1:
        raise Problem.of_field(400, "Idempotency-Key", "must be sent once")
    return context_of(request, idempotency_key)


async def _expected(
    if_match: Annotated[str | None, Header(description='The version that the edit is based on, e.g. `"3"`.')] = None,
) -> int:
    if if_match is None:
        raise Problem.of_field(428, "If-Match", 'must name the version that you saw, such as "3"')
    version = _ETAG.fullmatch(if_match.strip())
    if version is None:
        raise Problem.of_field(400, "If-Match", 'must be one version in quotes, such as "3"')
    return int(version.group(1))


Asked = Annotated[Context, Depends(asked)]
"""The context of a command, as an endpoint's parameter; 400 without an `Idempotency-Key`."""

Expected = Annotated[int, Depends(_expected)]
"""The version that an edit expects, as an endpoint's parameter; 428 without `If-Match`."""


class Accepted(BaseModel):
    """The answer to a command: what it concerned, the version it led to, and where to wait for it."""

    id: UUID
    version: int = Field(description="Send it as If-Match with the next edit.")
    position: str = Field(description="Send it as ?after= with a query that must see this change.")


@dataclass(frozen=True, slots=True)
class Answers:
    """Turns outcomes into answers for one service: its store's id and its topic go into the position tokens."""

    store: UUID
    topic: str

    def token(self, outcome: Outcome) -> str:
        """The position token of an outcome."""
        return tokens.encode(
            Token(store=self.store, position=outcome.position, topic=self.topic, subject=outcome.subject)
        )

    def answer(self, outcome: Outcome, id_: UUID, response: Response) -> Accepted:
        """The body of the answer; sets its `ETag` and `Rapport-Position`."""
        position = self.token(outcome)
        response.headers["ETag"] = etag(outcome.version)
        response.headers[POSITION_HEADER] = position
        return Accepted(id=id_, version=outcome.version, position=position)


def etag(version: int) -> str:
    """The `ETag` of a thing in this version."""
    return f'"{version}"'
