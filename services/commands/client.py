"""The way to a running Rapport: its Unix socket, the app in this process, or a URL with a token."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import msgspec

from services.commands.failure import UNREACHABLE, Failure, Problem
from services.commands.in_process import ASGIApp, InProcess
from shared.errors import RapportError

OpenApp = Callable[[Path], AbstractAsyncContextManager[ASGIApp]]
"""Opens the app over a data folder in this process; raises `RapportError` when another process holds the folder."""
SOCKET = "rapport.sock"
"""The name of the running instance's socket in its data folder."""
_TIMEOUT = httpx2.Timeout(120.0, connect=10.0)
_ENDLESS = httpx2.Timeout(None, connect=10.0)
_LOCAL = "http://rapport"


@dataclass(frozen=True, slots=True)
class Target:
    """Where Rapport is: a data folder, or a URL with the token that opens it."""

    data: Path
    url: str | None = None
    token: str | None = None


class Client:
    """Requests to Rapport's HTTP API; whatever goes wrong comes out as a `Failure`."""

    def __init__(self, http: httpx2.AsyncClient, where: str) -> None:
        self._http = http
        self._where = where

    async def get(self, path: str, **params: Any) -> Any:
        """A query's answer; parameters that are None are left out."""
        return await self._request("GET", path, params=_given(params))

    async def post(self, path: str, body: Any, *, version: int | None = None) -> Any:
        """A command's answer; `version` is the one that an edit is based on.

        Each call is a command of its own: ask again only with the same wish.
        """
        headers = {"Idempotency-Key": str(uuid4()), "Content-Type": "application/json"}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        return await self._request("POST", path, content=msgspec.json.encode(body), headers=headers)

    @asynccontextmanager
    async def lines(self, method: str, path: str, **params: Any) -> AsyncIterator[AsyncIterator[Any]]:
        """Opens an NDJSON answer: one document a line as it arrives, however long that takes."""
        headers = {"Idempotency-Key": str(uuid4())} if method == "POST" else {}
        try:
            async with self._http.stream(
                method, path, params=_given(params), headers=headers, timeout=_ENDLESS
            ) as answer:
                await _check(answer)
                yield (json.loads(line) async for line in answer.aiter_lines() if line.strip())
        except (httpx2.TransportError, json.JSONDecodeError) as error:
            raise self._unreachable(error) from error

    async def _request(self, method: str, path: str, **kwargs: Any) -> Any:
        try:
            answer = await self._http.request(method, path, **kwargs)
            await _check(answer)
            return answer.json()
        except (httpx2.TransportError, json.JSONDecodeError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> Failure:
        if isinstance(error, json.JSONDecodeError):
            return Failure(f"{self._where} does not answer as Rapport does", UNREACHABLE)
        return Failure(f"{self._where} does not answer: {str(error) or type(error).__name__}", UNREACHABLE)


@asynccontextmanager
async def connect(target: Target, open_app: OpenApp) -> AsyncIterator[Client]:
    """Opens the way to Rapport.

    Raises:
        Failure: When nothing answers, or another process holds the folder without answering.
    """
    if target.url:
        headers = {"Authorization": f"Bearer {target.token}"} if target.token else {}
        async with _remote(target.url, headers) as http:
            yield Client(http, target.url)
        return
    socket = target.data / SOCKET
    if socket.is_socket() and await _answers(socket):
        async with _over(httpx2.AsyncHTTPTransport(uds=str(socket))) as http:
            yield Client(http, str(socket))
        return
    async with _opened(target.data, open_app) as app, _over(InProcess(app)) as http:
        yield Client(http, str(target.data))


@asynccontextmanager
async def _opened(data: Path, open_app: OpenApp) -> AsyncIterator[ASGIApp]:
    opening = open_app(data)
    try:
        app = await opening.__aenter__()
    except (RapportError, OSError) as error:
        raise Failure(f"{data} cannot be opened: {error}", UNREACHABLE) from error
    try:
        yield app
    finally:
        await opening.__aexit__(None, None, None)


async def _answers(socket: Path) -> bool:
    async with _over(httpx2.AsyncHTTPTransport(uds=str(socket))) as http:
        try:
            await http.get("/api/v1/livez")
        except httpx2.ConnectError:
            return False
        except httpx2.TransportError as error:
            raise Failure(f"{socket} does not answer: {type(error).__name__}", UNREACHABLE) from error
    return True


def _remote(url: str, headers: dict[str, str]) -> httpx2.AsyncClient:
    try:
        return httpx2.AsyncClient(base_url=url, headers=headers, timeout=_TIMEOUT)
    except httpx2.InvalidURL as error:
        raise Failure(f"RAPPORT_URL: {url!r} is not an address: {error}") from error


def _over(transport: httpx2.AsyncBaseTransport) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=transport, base_url=_LOCAL, timeout=_TIMEOUT)


async def _check(answer: httpx2.Response) -> None:
    if answer.is_success:
        return
    await answer.aread()
    try:
        body = answer.json()
    except ValueError:
        body = {}
    raise Problem(answer.status_code, body if isinstance(body, dict) else {})


def _given(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
