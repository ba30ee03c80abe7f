"""What tests of relay and followers share: a log, topics of their own, and programs that do not outlive their test."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from programs import Program, Start

from shared.sqlite_store import SqliteStore


@pytest.fixture
def prefix() -> str:
    """Before the names of a test's own topics."""
    return f"test-{uuid4().hex[:12]}."


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """What is relayed: an empty log."""
    store = SqliteStore(tmp_path / "store.sqlite")
    yield store
    await store.close()


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts a program of this folder, like `Program.start`."""
    started: list[Program] = []

    async def start(module: str, *arguments: object, **environment: str) -> Program:
        started.append(await Program.start(module, *arguments, **environment))
        return started[-1]

    yield start
    for program in started:
        await program.kill()
