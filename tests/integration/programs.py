"""Programs of this folder in processes of their own, which a test watches, stops, pauses and kills."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


class Program:
    """One that runs; `said` are the lines that it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.said: list[str] = []
        self._process = process
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, module: str, *arguments: object, **environment: str) -> "Program":
        """Start a module of this folder; it writes its log to where the test's goes."""
        command = [sys.executable, str(FOLDER / f"{module}.py"), *map(str, arguments)]
        paths = os.pathsep.join([str(FOLDER), *sys.path])
        process = await asyncio.create_subprocess_exec(
            *command, env=os.environ | {"PYTHONPATH": paths} | environment, stdout=asyncio.subprocess.PIPE
        )
        return cls(process)

    @property
    def runs(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.returncode is None

    async def kill(self) -> None:
        """End it with SIGKILL, also when it is paused."""
        if self.runs:
            self._process.kill()
        await self.ended()

    async def stop(self) -> int:
        """End it with SIGTERM, and give its exit code."""
        self._process.terminate()
        return await self.ended()

    def pause(self) -> None:
        """Stop it with SIGSTOP: its connections stay open, it does nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    async def ended(self) -> int:
        """Wait until it is gone, and give its exit code, negative for a signal."""
        code = await self._process.wait()
        await self._reading
        return code

    async def _read(self) -> None:
        if self._process.stdout is not None:
            async for line in self._process.stdout:
                self.said.append(line.decode().strip())


Start = Callable[..., Awaitable[Program]]
"""Starts a program of this folder, or one in a certain part."""
