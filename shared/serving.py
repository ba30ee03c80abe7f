"""Serving an installation: pages and API on a port, the command line on a socket that only its owner can open."""

from __future__ import annotations

import asyncio
import getpass
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

import uvicorn
from starlette.types import ASGIApp

from shared.memory import collect_rarely
from shared.relay import Relay
from shared.service import Platform, Service
from shared.web import (
    login,
    metrics,
    operations,
    operations_page,
    parked_api,
    parked_page,
    preferences,
    relay_api,
    replays_api,
    replays_page,
    trace_api,
)
from shared.web.app import harden, service_app
from shared.web.assets import MOUNT, Assets
from shared.web.guard import as_cli, may
from shared.web.shell import Shell

SOCKET: Final = "rapport.sock"
_IMPORT_BODIES: Final = {
    "/contacts/api/v1/customers/import": 8 * 1024 * 1024,
    "/portal/api/v1/orders/import": 16 * 1024 * 1024,
}
_GRACE_SECONDS: Final = 3
_SWITCH_SECONDS: Final = 0.001
"""How long a busy projection thread may hold the interpreter before the event loop gets a turn (default 5 ms)."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Running:
    """A running installation without a server before it; its reactions set in once it is served."""

    platform: Platform
    app: ASGIApp
    relays: tuple[Relay, ...]
    services: tuple[Service, ...]

    def for_cli(self) -> ASGIApp:
        """The app as the owner of the folder sees it."""
        return as_cli(self.app, getpass.getuser())


def application(services: Sequence[Service], platform: Platform) -> ASGIApp:
    """Services, each under its name, with the platform's own pages and API, behind every middleware."""
    settings = platform.settings
    zone = ZoneInfo(settings.timezone)
    shell = Shell("operations", demo_notice=settings.demo, zone=zone)
    routers = (
        operations.probes,
        operations.router,
        operations_page.router,
        parked_api.router,
        parked_page.router,
        metrics.router,
        replays_api.router,
        replays_page.router,
        trace_api.router,
        relay_api.router,
        login.router,
        preferences.router,
    )
    root = service_app("Rapport", routers, platform_state={"platform": platform, "shell": shell}, page=shell.problem)
    for service in services:
        templates = [service.templates] if service.templates else []
        own = Shell(service.name, templates, demo_notice=settings.demo, zone=zone)
        app = service_app(
            service.name, service.routers, platform_state={"platform": platform, "shell": own}, page=own.problem
        )
        root.mount(f"/{service.name}", app)
    root.mount(MOUNT, may("anyone")(Assets()))
    return harden(root, platform.accounts, larger_bodies=_IMPORT_BODIES)


@asynccontextmanager
async def background(work: Iterable[Coroutine[Any, Any, Any]]) -> AsyncIterator[None]:
    """Run what never ends while the context is open."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    tasks = [asyncio.create_task(each) for each in work]
    for task in tasks:
        task.add_done_callback(_report)
    try:
        yield
    finally:
        await _stop(tasks)


def run(serving: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where there is one: a command takes a fifth less CPU than on asyncio's own loop."""
    with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:
        runner.run(serving)


async def serve(running: Running, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = running.platform.settings
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    collect_rarely()
    socket = settings.data / SOCKET
    socket.unlink(missing_ok=True)
    public = _server(running.app, host=settings.host, port=settings.port)
    local = _server(running.for_cli(), uds=str(socket))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    servers = [asyncio.create_task(server.serve()) for server in (public, local)]
    while not (public.started and local.started):
        done, _ = await asyncio.wait(servers, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    socket.chmod(0o600)
    port = public.servers[0].sockets[0].getsockname()[1]
    announce(f"http://{settings.host}:{port}/")
    if first := await asyncio.to_thread(running.platform.accounts.first_run):
        announce(f"first run: sign in as {first[0]} with the password {first[1]} (shown this once)")
    reactions = [service.reaction(running.platform) for service in running.services if service.reaction is not None]
    async with background(reactions):
        await asyncio.wait([*servers, asyncio.ensure_future(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
    public.should_exit = local.should_exit = True
    await asyncio.gather(*servers)
    socket.unlink(missing_ok=True)


class _Server(uvicorn.Server):
    """A server that leaves the signals to us: two of them run in one loop."""

    def capture_signals(self) -> Any:
        """Capture nothing."""
        return nullcontext()


def _server(app: ASGIApp, **where: Any) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        **where,
        http="httptools",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # anybody on this machine could choose the address that the sign-in throttle counts
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return _Server(config)


def _report(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a background task ended: %r", error)


async def _stop(tasks: Sequence[asyncio.Task[Any]]) -> None:
    pending = set(tasks)
    while pending:  # some libraries swallow a cancellation: ask again
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=1)
