"""What becomes of memory: how often Python looks for what is free, and whether that goes back to the system."""

from __future__ import annotations

import ctypes
import gc
from functools import cache
from typing import Final

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""The options' numbers in glibc's malloc.h."""
_MIB: Final = 1024 * 1024


@cache
def return_large() -> None:
    """Have large blocks given back when they are freed, for as long as the process lives.

    glibc raises the size from which it does so with every such block it sees freed, up to 32 MiB; the arrays of a
    replay then leave holes. Ten million events took 412 MB, and take 334.
    """
    _set(_MMAP_THRESHOLD, 8 * _MIB)


@cache
def keep_freed() -> None:
    """Have up to 64 MiB of freed memory kept for what is allocated next, for as long as the process lives.

    aiokafka copies a request eight times before it is sent. Without this, glibc asks the system for the memory of each
    copy and gives it back, which took a fifth of the CPU of a relay.
    """
    _set(_MMAP_THRESHOLD, 32 * _MIB)  # alone it would have glibc give back more, not less
    _set(_TRIM_THRESHOLD, 64 * _MIB)
    _set(_TOP_PAD, 16 * _MIB)


def collect_rarely() -> None:
    """Have Python look for cycles less often, for as long as the process lives.

    At 64 connections the collector took 10 % of the CPU of a command, and its p99 was 100 ms instead of 59; of the time
    of an import it took a fifth. What is loaded by now is never looked at: a full collection walks it for 80 ms.
    """
    if not gc.get_freeze_count():
        gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _set(option: int, value: int) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have no such option
    if mallopt is not None:
        mallopt(option, value)
