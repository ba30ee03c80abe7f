"""What stands around everything: no error escapes, and every answer says whose it is and what a browser may do."""

from __future__ import annotations

import logging
from typing import Final
from uuid import UUID

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.database_errors import AWAY
from shared.errors import RapportError
from shared.web.problems import CORRELATION, Problem, as_problem, correlation_id

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_ALWAYS: Final = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_NAMES: Final = frozenset((CORRELATION, *(name for name, _ in _ALWAYS)))
_NOT_KEPT: Final = (b"cache-control", b"no-store")
_log = logging.getLogger(__name__)


class Correlated:
    """Outermost middleware: no error escapes or tells its details, and every answer has its headers.

    They are a correlation id, what a browser must know, and `Cache-Control: no-store` unless the answer says otherwise.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identity = correlation_id(scope)
        started = finished = False

        async def echo(message: Message) -> None:
            nonlocal started, finished
            if message["type"] == "http.response.start":
                started = True
                _mark(message, identity)
            elif message["type"] == "http.response.body":
                finished = not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, echo)
        except (Problem, RapportError, *AWAY) as error:
            if started:
                raise
            await as_problem(error).response(identity)(scope, receive, echo)
        except Exception as error:
            _log.exception("request failed: correlation_id=%s method=%s", identity, scope["method"])
            if started and not finished:
                raise
            if not started:
                await as_problem(error).response(identity)(scope, receive, echo)


def _mark(message: Message, identity: UUID) -> None:
    own = [header for header in message.get("headers", ()) if header[0] not in _NAMES]
    if not any(name == b"cache-control" for name, _ in own):
        own.append(_NOT_KEPT)
    message["headers"] = [*own, (CORRELATION, str(identity).encode()), *_ALWAYS]
