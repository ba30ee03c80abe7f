"""Slows down who guesses passwords, without locking out the one who knows theirs."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

FREE_TRIES: Final = 10
FREE_TRIES_OF_MANY: Final = 100
"""For one account from everywhere, and for one address at all accounts."""
LONGEST_WAIT: Final = 900.0
FORGOTTEN_AFTER: Final = 3600.0
MOST_KEPT: Final = 20_000
Key = tuple[str, ...]


@dataclass(slots=True)
class _Tries:
    count: int
    last: float


class Throttle:
    """Counts tries by account and address, by account, and by address; each further try doubles the wait.

    An address from which an account was entered before is not slowed down by what others try elsewhere.
    Seconds are those of `clock`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: OrderedDict[Key, _Tries] = OrderedDict()
        self._known: OrderedDict[Key, None] = OrderedDict()

    def enter(self, name: str, address: str) -> float:
        """Count a try and return 0, or the seconds to wait before one counts.

        A try counts before its outcome is known: a hundred at once are a hundred.
        """
        keys = self._keys(name, address)
        wait = max(self._wait(key, free) for key, free in keys.items())
        if wait > 0:
            return wait
        for key in keys:
            self._count(key)
        return 0.0

    def succeeded(self, name: str, address: str) -> None:
        """Take the try back: it was the owner's."""
        for key in self._keys(name, address):
            if tries := self._tries.get(key):
                tries.count -= 1
        self._tries.pop(("pair", name, address), None)
        self._known[name, address] = None
        self._known.move_to_end((name, address))
        if len(self._known) > MOST_KEPT:
            self._known.popitem(last=False)

    def _keys(self, name: str, address: str) -> dict[Key, int]:
        pair: dict[Key, int] = {("pair", name, address): FREE_TRIES}
        if (name, address) in self._known:
            return pair
        return {**pair, ("account", name): FREE_TRIES_OF_MANY, ("address", address): FREE_TRIES_OF_MANY}

    def _wait(self, key: Key, free: int) -> float:
        tries = self._tries.get(key)
        if tries is None or tries.count < free:
            return 0.0
        delay = min(2.0 ** min(tries.count - free, 32), LONGEST_WAIT)
        return max(0.0, tries.last + delay - self._clock())

    def _count(self, key: Key) -> None:
        now = self._clock()
        tries = self._tries.pop(key, None)
        if tries is None or now - tries.last > FORGOTTEN_AFTER:
            tries = _Tries(0, now)
        self._tries[key] = _Tries(tries.count + 1, now)
        if len(self._tries) > MOST_KEPT:
            self._tries.popitem(last=False)
