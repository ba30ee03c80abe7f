"""What stands before every route: how a sane request looks, where it comes from, and how long its body may be."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.web import headers
from shared.web.problems import Problem, correlation_id

MIB: Final = 1024 * 1024
MAX_HEADER_BYTES: Final = 32 * 1024
MAX_TARGET_BYTES: Final = 8 * 1024
BODY_SECONDS: Final = 30.0
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_CLOSE: Final = {"Connection": "close"}
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_IN_QUERY: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CONTROL_IN_HEADER: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Entrance:
    """The middleware that every request passes before anything is done for it; what it refuses ends there.

    Requests that another server on the way could read differently (400, 414, 431); changes for a page of another site
    (403); bodies that are too long (413) or too slow (408), whatever the app makes of a body that breaks off.
    `larger` gives single paths their own limit in bytes; `seconds` is the time for the whole body.
    """

    def __init__(
        self,
        app: ASGIApp,
        limit: int = MIB,
        larger: Mapping[str, int] | None = None,
        seconds: float = BODY_SECONDS,
    ) -> None:
        self._app = app
        self._limit = limit
        self._larger = dict(larger or {})
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or raise its problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = headers.first(scope)
        _check_headers(scope["headers"], sent)
        _check_target(scope)
        if scope["method"] not in SAFE_METHODS:
            _check_origin(sent)
        limit = self._larger.get(scope["path"], self._limit)
        if int(sent.get(b"content-length", b"0")) > limit:
            raise _too_large(limit)
        body = _Body(receive, send, limit, self._seconds)
        try:
            await self._app(scope, body.receive, body.send)
        except Exception:
            if body.problem is None:
                raise
        if body.problem is not None:
            if body.answered:
                raise body.problem
            await body.problem.response(correlation_id(scope))(scope, receive, send)


class _Body:
    """One body on its way in, and the answer that waits for it."""

    def __init__(self, receive: Receive, send: Send, limit: int, seconds: float) -> None:
        self.problem: Problem | None = None
        self.answered = False
        self._receive = receive
        self._send = send
        self._left = limit
        self._limit = limit
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._complete = False

    async def receive(self) -> Message:
        """The next message; raises the problem once there is one."""
        if self.problem is not None:
            raise self.problem
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            self.problem = Problem(408, detail="The body did not arrive in time.", headers=_CLOSE)
            raise self.problem from None
        self._left -= len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._left < 0:
            self.problem = _too_large(self._limit)
            raise self.problem
        return message

    async def send(self, message: Message) -> None:
        """Pass the answer on, unless the body was refused before it began."""
        if self.problem is None or self.answered:
            self.answered = True
            await self._send(message)


def _check_headers(sent: headers.Pairs, values: Mapping[bytes, bytes]) -> None:
    names = [name for name, _ in sent]
    all_values = b"".join([value for _, value in sent])
    if sum(map(len, names)) + len(all_values) + 4 * len(sent) > MAX_HEADER_BYTES:
        raise Problem(431, headers=_CLOSE)
    if names.count(b"host") != 1 or not values[b"host"]:
        raise _malformed("Host", "must be sent once")
    if names.count(b"content-length") + names.count(b"transfer-encoding") > 1:
        raise _malformed("Content-Length", "must be sent once, and not with Transfer-Encoding")
    if not _LENGTH.fullmatch(values.get(b"content-length", b"0")):
        raise _malformed("Content-Length", "must be a number of bytes")
    if values.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
        raise _malformed("Transfer-Encoding", "must be chunked")
    if _CONTROL_IN_HEADER.search(all_values):
        raise Problem(400, detail="A header holds control characters.", headers=_CLOSE)


def _check_origin(values: Mapping[bytes, bytes]) -> None:
    """Refuse to change anything for a page of another site, by Fetch Metadata and Origin: forms need no token.

    Programs send neither header and pass: a browser cannot be made to leave both out of a request that changes things.
    """
    site, origin = values.get(b"sec-fetch-site"), values.get(b"origin")
    if site is not None:
        ours = site in {b"same-origin", b"none"}
    else:
        ours = origin is None or _authority(origin) == values[b"host"]
    if not ours:
        raise Problem(403, "Cross-origin request refused", "Open the page of this site and try again there.")


def _check_target(scope: Scope) -> None:
    path, query = scope.get("raw_path") or scope["path"].encode(), scope["query_string"]
    if len(path) + len(query) > MAX_TARGET_BYTES:
        raise Problem(414, headers=_CLOSE)
    try:
        plain = not _CONTROL.search(unquote_to_bytes(path).decode())
        plain = plain and not _CONTROL_IN_QUERY.search(unquote_to_bytes(query).decode())
    except UnicodeDecodeError:
        plain = False
    if not plain:
        raise Problem(400, detail="The address is not UTF-8 or holds control characters.", headers=_CLOSE)


def _authority(origin: bytes) -> bytes | None:
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


def _malformed(header: str, message: str) -> Problem:
    return Problem.of_field(400, header, message, headers=_CLOSE)


def _too_large(limit: int) -> Problem:
    return Problem(413, detail=f"The body may have {limit:,} bytes at most.", headers=_CLOSE)
