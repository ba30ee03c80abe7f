"""The read models of a process: which generation of each family is read, and how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from shared.codec import Codec
from shared.errors import TooFarBehind
from shared.projections.catalog import ACTIVE, Catalog
from shared.projections.family import Family
from shared.projections.generation import Generation, Snapshot

WAIT_SECONDS: Final = 5.0


class ReadModels:
    """Opens the active generation of every family under one folder."""

    def __init__(self, folder: Path, families: Sequence[Family], codec: Codec) -> None:
        self._folder = folder
        self._codec = codec
        self._catalog = Catalog(folder / "catalog.db")
        self._active = {family.name: self.open(family, self._catalog.active(family)) for family in families}
        self._moved = asyncio.Event()

    @property
    def generations(self) -> tuple[Generation, ...]:
        """The active generation of each family."""
        return tuple(self._active.values())

    def open(self, family: Family, number: int) -> Generation:
        """One generation of a family, active or not."""
        path = self._folder / f"{family.name}-v{family.version}-g{number}.db"
        return Generation(family, number, path, self._codec)

    def candidate(self, family: Family) -> Generation:
        """A new generation, built beside the active one and read by nobody yet."""
        return self.open(family, self._catalog.add(family))

    def status(self, generation: Generation) -> str:
        """`active`, or what the catalog says of a generation."""
        active = self._active.get(generation.family.name)
        return ACTIVE if active is generation else self._catalog.status(generation.family, generation.number)

    @contextmanager
    def read(self, family: Family) -> Iterator[Snapshot]:
        """One moment of a family."""
        with self._active[family.name].read() as snapshot:
            yield snapshot

    def position(self, family: Family) -> int:
        """How far a family is."""
        return self._active[family.name].position

    async def progress(self, wait: float) -> None:
        """Return when any family moved, or after `wait` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._moved.wait()

    def moved(self) -> None:
        """Wake whoever waits for a position."""
        self._moved.set()
        self._moved = asyncio.Event()

    async def reached(self, family: Family, position: int, *, wait: float = WAIT_SECONDS) -> None:
        """Return once a family has a position; TooFarBehind after `wait` seconds."""
        deadline = asyncio.get_running_loop().time() + wait
        while True:
            moved = self._moved  # taken before the look, so that a move in between is not missed
            now = await asyncio.to_thread(self.position, family)
            if now >= position:
                return
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                raise TooFarBehind(position, now)
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await moved.wait()

    def close(self) -> None:
        """Close every file."""
        for generation in self._active.values():
            generation.close()
        self._catalog.close()
