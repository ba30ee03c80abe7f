"""Named places between two durable steps, where tests may end the program.

Each call is a no-op unless a test armed it in this process, or `RAPPORT_CRASH=name:N` asks for a SIGKILL at the
N-th passage.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable

_armed: Callable[[str], None] | None = None


def crashpoint(name: str) -> None:
    """Pass a named place."""
    if _armed is not None:
        _armed(name)


def arm(action: Callable[[str], None] | None) -> None:
    """Call `action` with the name at every place; None disarms."""
    global _armed  # noqa: PLW0603, one switch a process is the point
    _armed = action


def _kill_at(wanted: str, passage: int) -> Callable[[str], None]:
    passed: Counter[str] = Counter()

    def kill(name: str) -> None:
        passed[name] += 1
        if name == wanted and passed[name] == passage:
            os.kill(os.getpid(), signal.SIGKILL)

    return kill


if "RAPPORT_CRASH" in os.environ:
    _name, _, _passage = os.environ["RAPPORT_CRASH"].partition(":")
    arm(_kill_at(_name, int(_passage or 1)))
