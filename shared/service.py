"""What a service is made of, and what it is given to run on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from fastapi import APIRouter
from starlette.requests import Request

from shared.accounts import Accounts
from shared.decider import Log
from shared.health import Health
from shared.projections import Family, ReadModels
from shared.settings import Settings


@dataclass(frozen=True)
class Platform:
    """What every service stands on, opened once per process by the composition root."""

    log: Log
    models: ReadModels
    settings: Settings
    accounts: Accounts
    health: Health


@dataclass(frozen=True)
class Service:
    """One service: what it reads into tables, and the routes it answers."""

    name: str
    families: tuple[Family, ...]
    routers: tuple[APIRouter, ...]
    templates: Path | None = None


def platform(request: Request) -> Platform:
    """The platform of the app that serves this request; a FastAPI dependency as well."""
    return cast("Platform", request.app.state.platform)
