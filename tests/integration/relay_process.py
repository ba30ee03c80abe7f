"""A relay in a process of its own that kills itself at a step: STORE BOOTSTRAP PREFIX METHOD before|after NTH."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from topics_kit import step

from shared.relay import Relay
from shared.sqlite_store import SqliteStore


async def main(path: str, bootstrap: str, prefix: str, method: str, when: str, nth: str) -> None:
    step(pytest.MonkeyPatch(), method, when, int(nth), lambda: os.kill(os.getpid(), signal.SIGKILL))
    await Relay(SqliteStore(Path(path), writable=False), bootstrap, "trials", prefix=prefix).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
