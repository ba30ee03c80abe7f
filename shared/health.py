"""Whether a process has what it needs: each need is probed again and again, and must have answered lately."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Never

EVERY: Final = 1.0
"""Seconds between two probes of the same need."""
ANSWER: Final = 3.0
STALE: Final = 6.0
"""Seconds after which an answer counts no more: also a probe that hangs, or a loop that stands still, is found out."""

CLOSE: Final = 500
"""Events behind the head at which a follower has caught up: under load it is never at 0."""

Probe = Callable[[], Awaitable[str | None]]
"""Says what is wrong, None when nothing is."""


class Health:
    """Asks the probes for as long as `run` is running; `problems` never waits."""

    def __init__(self, probes: Mapping[str, Probe], clock: Callable[[], float] = time.monotonic) -> None:
        self._probes = dict(probes)
        self._clock = clock
        self._said: dict[str, tuple[str | None, float]] = {}

    @property
    def needs(self) -> tuple[str, ...]:
        """What is probed."""
        return tuple(self._probes)

    async def run(self) -> Never:
        """Probe until cancelled."""
        await asyncio.gather(*(self._ask(name) for name in self._probes))
        raise RuntimeError("probing never ends")

    def problems(self) -> dict[str, str]:
        """What is wrong, by need; empty when all is well."""
        return {name: wrong for name in self._probes if (wrong := self._wrong(name)) is not None}

    def _wrong(self, name: str) -> str | None:
        if name not in self._said:
            return "is not known yet"
        wrong, at = self._said[name]
        if self._clock() - at > STALE:
            return f"has not answered for {self._clock() - at:.0f} s"
        return wrong

    async def _ask(self, name: str) -> Never:
        while True:
            try:
                async with asyncio.timeout(ANSWER):
                    wrong = await self._probes[name]()
            except Exception as error:  # noqa: BLE001, whatever it is, this need is not met
                wrong = f"{type(error).__name__}: {error}".strip()
            self._said[name] = wrong, self._clock()
            await asyncio.sleep(EVERY)


class KeepsUp:
    """The probe of a follower: it has caught up once, and moves whenever it is behind.

    `lag` gives how many events it is behind, `place` something that changes whenever it moves.
    """

    def __init__(
        self,
        failing: Callable[[], str | None],
        lag: Callable[[], int],
        place: Callable[[], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failing = failing
        self._lag = lag
        self._place = place
        self._clock = clock
        self._caught_up = False
        self._was: object = None
        self._moved = clock()

    async def __call__(self) -> str | None:
        """What is wrong with the follower."""
        if failing := self._failing():
            return f"waits: {failing}"
        behind, now = await asyncio.to_thread(lambda: (self._lag(), self._place()))
        if behind == 0 or now != self._was:
            self._was, self._moved = now, self._clock()
        self._caught_up = self._caught_up or behind < CLOSE
        if not self._caught_up:
            return f"is being built, {behind:,} events to go"
        if self._clock() - self._moved > STALE:
            return f"does not move, {behind:,} events behind"
        return None
