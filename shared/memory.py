"""Memory that goes back to the system once it is free."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Final

_MMAP_THRESHOLD: Final = -3
"""The option's number in glibc's malloc.h."""
_LARGE: Final = 8 * 1024 * 1024


@cache
def return_large() -> None:
    """Have large blocks given back when they are freed, for as long as the process lives.

    glibc raises the size from which it does so with every such block it sees freed, up to 32 MiB; the arrays of a
    replay then leave holes. Ten million events took 412 MB, and take 334.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have no such option
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE)
