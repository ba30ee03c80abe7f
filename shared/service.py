"""What a service is made of, and what it is given to run on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never, cast

from fastapi import APIRouter
from starlette.requests import Request

from shared.accounts import Accounts
from shared.decider import Log
from shared.feeding import Feeding
from shared.health import Health
from shared.projections import Family, ReadModels
from shared.relay import Relay
from shared.settings import Settings


@dataclass(frozen=True)
class Platform:
    """What every service stands on, opened once per process by the composition root."""

    log: Log
    models: ReadModels
    settings: Settings
    accounts: Accounts
    health: Health
    feeding: Feeding
    relays: tuple[Relay, ...]


@dataclass(frozen=True)
class Service:
    """One service: what it reads into tables, and the routes it answers.

    `catch_up` does what the log demands and a process that ended has left undone; it runs before anything is served.
    `reaction` is what the service does of its own accord for as long as it is served, and no replay ever does.
    """

    name: str
    families: tuple[Family, ...]
    routers: tuple[APIRouter, ...]
    templates: Path | None = None
    catch_up: Callable[[Log], Awaitable[None]] | None = None
    reaction: Callable[[Platform], Coroutine[Any, Any, Never]] | None = None


def platform(request: Request) -> Platform:
    """The platform of the app that serves this request; a FastAPI dependency as well."""
    return cast("Platform", request.app.state.platform)
