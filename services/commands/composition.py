"""What the commands need of the rest of Rapport; `services/cli.py` fills it in, tests put doubles here."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.commands.client import OpenApp


@dataclass(frozen=True, slots=True)
class Serving:
    """How `rapport up` is to run: in which folder, on which port, and with which Kafka, if any."""

    data: Path
    port: int
    kafka: str | None


@dataclass(frozen=True, slots=True)
class Moving:
    """What `rapport migrate` moves: a folder to an event store, and the other servers of a deployment, if named."""

    data: Path
    store: str
    kafka: str | None
    database: str | None
    keyring: str | None


@dataclass(frozen=True, slots=True)
class Keeping:
    """What `rapport backup` and `rapport restore` work on: a data folder, the backup, and a file of keys, if any."""

    data: Path
    folder: Path
    keys: Path | None


@dataclass(frozen=True, slots=True)
class Composition:
    """The parts that only the composition root may import."""

    open_app: OpenApp
    serve: Callable[[Serving], None]
    serve_service: Callable[[str, int | None], None]
    """Serves the service of a name on a port, None for the one that the environment gives."""
    create_topics: Callable[[str], Coroutine[Any, Any, list[str]]]
    """Creates what is missing on HOST:PORT; gives the topics' names."""
    upgrade_database: Callable[[str, str], tuple[str, str] | None]
    """Brings the tables behind two URLs to this release; gives name and password of an administrator it had to make."""
    migrate: Callable[[Moving], AsyncGenerator[dict[str, Any], None]]
    """Moves a folder; gives `{"progress": {"what", "done", "total"}}`, and last `{"result": {…}}`."""
    backup: Callable[[Keeping], AsyncGenerator[dict[str, Any], None]]
    """Backs a folder up; gives the same."""
    restore: Callable[[Keeping], AsyncGenerator[dict[str, Any], None]]
    """Makes a folder from a backup; gives the same."""
