"""An HTTP transport to an ASGI app in this process that passes on the answer while the app still writes it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

import httpx2

Message = MutableMapping[str, Any]
ASGIApp = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]
_CHUNKS_AHEAD = 8
_log = logging.getLogger(__name__)


class InProcess(httpx2.AsyncBaseTransport):
    """Calls the app directly; httpx2's own ASGITransport holds back an answer until it is complete."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Starts the app on one request and answers as soon as the app sends the status."""
        exchange = _Exchange(await request.aread())
        exchange.task = asyncio.create_task(exchange.run(self._app, _scope(request)))
        status, headers = await exchange.started
        return httpx2.Response(status, headers=headers, stream=exchange)


class _Exchange(httpx2.AsyncByteStream):
    """One request and its answer; a bounded queue keeps a fast app from running ahead of a slow reader."""

    task: asyncio.Task[None]

    def __init__(self, body: bytes) -> None:
        self._requests = [{"type": "http.request", "body": body, "more_body": False}]
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue(_CHUNKS_AHEAD)
        self._closed = asyncio.Event()
        self._complete = False
        self._broken: httpx2.TransportError | None = None
        self.started: asyncio.Future[tuple[int, list[tuple[bytes, bytes]]]] = asyncio.get_running_loop().create_future()

    async def run(self, app: ASGIApp, scope: Message) -> None:
        try:
            await app(scope, self._receive, self._send)
        except Exception as error:  # noqa: BLE001 - whatever the app raises, the caller must get an answer
            # Frameworks answer 500 and raise all the same, for the server's log; here the log is ours.
            _log.exception("the app failed: method=%s", scope["method"])
            self._broken = None if self._complete else httpx2.RemoteProtocolError(f"the app failed: {error!r}")
        if not self.started.done():
            self.started.set_exception(self._broken or httpx2.RemoteProtocolError("the app gave no answer"))
        await self._chunks.put(None)

    async def _receive(self) -> Message:
        if self._requests:
            return self._requests.pop()
        await self._closed.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started.set_result((message["status"], list(message.get("headers", ()))))
        elif message["type"] == "http.response.body":
            self._complete = not message.get("more_body", False)
            if message.get("body"):
                await self._chunks.put(message["body"])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self._chunks.get()) is not None:
            yield chunk
        if self._broken:
            raise self._broken

    async def aclose(self) -> None:
        self._closed.set()
        if not self.task.done():
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task


def _scope(request: httpx2.Request) -> Message:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "server": (request.url.host, request.url.port),
        "client": None,
    }
