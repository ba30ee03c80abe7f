"""On what a replay spends its CPU: the product's own functions are timed while it runs."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from shared.codec import Codec
from shared.projections.fold import Plan
from shared.projections.generation import Generation
from shared.sqlite_scan import SqliteScan

READING, DERIVED, REST = STAGES = ("reading and decoding", "derived tables", "folding and writing")


@contextmanager
def watched() -> Iterator[dict[str, float]]:
    """CPU seconds of the first two stages, in whichever thread of this process."""
    spent = {READING: 0.0, DERIVED: 0.0}
    prepare = Plan.__init__

    def prepared(plan: Any, *args: Any) -> None:
        prepare(plan, *args)
        plan._decode = _timed(plan._decode, spent, READING)

    with ExitStack() as stack:
        for scanned in ("slices", "events"):
            iterated = _iterated(getattr(SqliteScan, scanned), spent, READING)
            stack.enter_context(patch.object(SqliteScan, scanned, iterated))
        stack.enter_context(patch.object(Plan, "__init__", prepared))
        stack.enter_context(patch.object(Codec, "decode", _timed(Codec.decode, spent, READING)))
        stack.enter_context(patch.object(Generation, "refresh", _timed(Generation.refresh, spent, DERIVED)))
        yield spent


def _timed(function: Callable[..., Any], spent: dict[str, float], stage: str) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        started = time.thread_time()
        try:
            return function(*args, **kwargs)
        finally:
            spent[stage] += time.thread_time() - started

    return timed


def _iterated(function: Callable[..., Iterator[Any]], spent: dict[str, float], stage: str) -> Callable[..., Any]:
    def iterated(*args: Any) -> Iterator[Any]:
        following = _timed(function(*args).__next__, spent, stage)
        while True:
            try:
                yield following()
            except StopIteration:
                return

    return iterated
