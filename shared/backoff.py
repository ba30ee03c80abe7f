"""Trying again what should never end: how long to wait, and what counts as an end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from typing import Final, Never

from shared.errors import RapportError

_SHORTEST: Final = 0.1
_LONGEST: Final = 5.0


class Backoff:
    """Pauses that double up to `longest` seconds, each a little different.

    So those who failed together do not return together.
    """

    def __init__(self, longest: float = _LONGEST) -> None:
        self._seconds = _SHORTEST
        self._longest = longest

    def reset(self) -> None:
        """It worked: the next pause is short again."""
        self._seconds = _SHORTEST

    async def pause(self) -> None:
        """Wait before the next attempt."""
        await asyncio.sleep(self._seconds * random.uniform(0.5, 1))  # noqa: S311, guards nothing
        self._seconds = min(2 * self._seconds, self._longest)


async def ending_of(work: Awaitable[Never]) -> Exception:
    """Await what should never end, and give back the error that ended it; only a true cancellation gets through."""
    try:
        await work
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # aiokafka cancels tasks of its own, and may let that out of stop() as if it had been meant for us
        return RapportError("the Kafka client cancelled itself")
    except Exception as error:  # noqa: BLE001, to start over is the answer to whatever it was
        return error
