"""The embedded installation: all services in one process over one folder, durable and crash-safe.

`opened` builds it, `serve` puts it behind a port and behind a Unix socket that only its owner can open.
"""

from __future__ import annotations

import asyncio
import gc
import getpass
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, nullcontext
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from shared.accounts import Accounts
from shared.codec import Codec
from shared.decider import Log
from shared.events import check_upcasters
from shared.keyring import SqliteKeyring
from shared.projections import ReadModels
from shared.projections.follower import Follower
from shared.relay import Relay
from shared.service import Platform, Service
from shared.settings import Settings
from shared.sqlite_store import SqliteStore
from shared.web import login, operations, operations_page, preferences
from shared.web.app import harden, service_app
from shared.web.assets import MOUNT, Assets
from shared.web.guard import as_cli, may
from shared.web.shell import Shell

SOCKET: Final = "rapport.sock"
_IMPORT_BODIES: Final = {
    "/contacts/api/v1/customers/import": 8 * 1024 * 1024,
    "/portal/api/v1/orders/import": 16 * 1024 * 1024,
}
_GRACE_SECONDS: Final = 5
_SWITCH_SECONDS: Final = 0.001
"""How long a busy projection thread may hold the interpreter before the event loop gets a turn (default 5 ms)."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Embedded:
    """A running installation without a server before it."""

    platform: Platform
    app: ASGIApp
    relays: tuple[Relay, ...]

    def for_cli(self) -> ASGIApp:
        """The app as the owner of the folder sees it."""
        return as_cli(self.app, getpass.getuser())


@asynccontextmanager
async def opened(services: Sequence[Service], settings: Settings) -> AsyncIterator[Embedded]:
    """Open the folder, follow the store, relay if there is a broker; everything is closed in turn.

    Raises:
        StoreInUse: another process has the folder.
    """
    check_upcasters()
    sys.setswitchinterval(_SWITCH_SECONDS)
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with AsyncExitStack() as stack:
        store = SqliteStore(settings.data / "events.db")
        stack.push_async_callback(store.close)
        keyring = stack.enter_context(closing(SqliteKeyring(settings.data / "keyring.db")))
        accounts = stack.enter_context(closing(Accounts(settings.data / "accounts.db")))
        log = Log(store, keyring, Codec(keyring), settings.timezone)
        families = [family for service in services for family in service.families]
        models = stack.enter_context(closing(ReadModels(settings.data / "read", families, log.codec)))
        followers = tuple(Follower(store, generation, models.moved) for generation in models.generations)
        platform = Platform(log, models, settings, accounts, followers)
        relays = _relays(store, services, settings)
        tasks = [asyncio.create_task(follower.run()) for follower in followers]
        tasks += [asyncio.create_task(relay.run()) for relay in relays]
        for task in tasks:
            task.add_done_callback(_report)
        stack.push_async_callback(_stop, tasks)
        yield Embedded(platform, harden(_joined(services, platform), accounts, larger_bodies=_IMPORT_BODIES), relays)


async def serve(services: Sequence[Service], settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT: pages and API on a port of this machine, the command line on a socket."""
    async with opened(services, settings) as embedded:
        first = embedded.platform.accounts.first_run()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        socket = settings.data / SOCKET
        socket.unlink(missing_ok=True)
        public = _server(embedded.app, host=settings.host, port=settings.port)
        local = _server(embedded.for_cli(), uds=str(socket))
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        running = [asyncio.create_task(server.serve()) for server in (public, local)]
        while not (public.started and local.started):
            done, _ = await asyncio.wait(running, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        socket.chmod(0o600)
        port = public.servers[0].sockets[0].getsockname()[1]
        announce(f"http://{settings.host}:{port}/")
        if first:
            announce(f"first run: sign in as {first[0]} with the password {first[1]} (shown this once)")
        await asyncio.wait([*running, asyncio.ensure_future(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
        public.should_exit = local.should_exit = True
        await asyncio.gather(*running)
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


def _joined(services: Sequence[Service], platform: Platform) -> FastAPI:
    settings = platform.settings
    zone = ZoneInfo(settings.timezone)
    shell = Shell("operations", demo_notice=settings.demo, zone=zone)
    routers = (operations.router, operations_page.router, login.router, preferences.router)
    root = service_app("Rapport", routers, platform_state={"platform": platform, "shell": shell}, page=shell.problem)
    for service in services:
        templates = [service.templates] if service.templates else []
        own = Shell(service.name, templates, demo_notice=settings.demo, zone=zone)
        app = service_app(
            service.name, service.routers, platform_state={"platform": platform, "shell": own}, page=own.problem
        )
        root.mount(f"/{service.name}", app)
    root.mount(MOUNT, may("anyone")(Assets()))
    return root


def _relays(store: SqliteStore, services: Sequence[Service], settings: Settings) -> tuple[Relay, ...]:
    if settings.kafka is None:
        return ()
    return tuple(Relay(store, settings.kafka, service.name, prefix=settings.topic_prefix) for service in services)


def _report(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a background task ended: %r", error)


async def _stop(tasks: Sequence[asyncio.Task[Any]]) -> None:
    pending = set(tasks)
    while pending:  # some libraries swallow a cancellation: ask again
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=1)
