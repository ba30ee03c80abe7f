"""Folding a long way of the log at once, in memory: what a share of the subjects came to is written in key order.

The fold is that of live pages; what is saved is reading whole events and writing the same rows once a page.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
import sqlalchemy as sa

from shared.events import event_class, upcast
from shared.memory import return_large
from shared.projections.additions import Addition
from shared.projections.bulk import Column
from shared.projections.fold import Plan
from shared.projections.tables import Document, Sum
from shared.projections.words import Words
from shared.scan import WHOLE, Scan, Share
from shared.threads import ahead

_ROWS_IN_MEMORY: Final = 8_000_000
"""Rows of all sums that are kept; when there are more, what there is is written, and added to by what follows."""

Told = Callable[[int], None]
"""Told how far the log was folded."""


class Part(NamedTuple):
    """What of a replay is done in one place."""

    share: Share
    """Whose sums are folded."""
    passes: Sequence[tuple[Share, Sequence[Document[Any]]]]
    """Which documents are folded for whom; each share in one pass."""


class Replay:
    """Folds the sums of one generation; the caller holds the transaction in which their keys get codes."""

    def __init__(self, scan: Scan, share: Share, sums: Sequence[Sum], words: Words, told: Told) -> None:
        self.events = 0
        self._scan = scan
        self._share = share
        self._sums = sums
        self._words = words
        self._told = told
        self._subjects = np.zeros(1, np.int64)
        """The code of each subject by its number in the store, 0 for one not met yet."""

    def run(self, db: sa.Connection) -> Iterator[tuple[Sum, list[Column]]]:
        """The columns of each sum, more than once if they do not fit into memory."""
        return_large()
        plans = {type_: Plan(type_, self._sums) for table in self._sums for type_ in table.types}
        slices = self._scan.slices(plans.keys(), self._share)
        if self._share == WHOLE:  # a fifth faster; of several processes every processor has one already
            slices = ahead(slices)
        additions = self._nothing()
        with _uncollected():
            for slice_ in slices:
                for (type_, schema), (numbers, lines) in slice_.events.items():
                    subjects = self._subjects_of(db, numbers)
                    folded = plans[type_].fold(
                        subjects, _current(type_, schema, lines), partial(self._words.column, db)
                    )
                    for name, keys, values in folded:
                        additions[name].add(keys, values)
                    self.events += len(numbers)
                self._told(slice_.position)
                if sum(map(len, additions.values())) > _ROWS_IN_MEMORY:
                    yield from _in_order(additions)
                    additions = self._nothing()
            yield from _in_order(additions)

    def _nothing(self) -> dict[str, Addition]:
        return {table.name: Addition(table) for table in self._sums}

    def _subjects_of(self, db: sa.Connection, numbers: Column) -> Column:
        short = 1 + int(numbers.max(initial=0)) - len(self._subjects)
        if short > 0:
            self._subjects = np.concatenate((self._subjects, np.zeros(short + len(self._subjects), np.int64)))
        fresh = np.unique(numbers[self._subjects[numbers] == 0])
        if len(fresh):
            self._subjects[fresh] = self._words.column(db, self._scan.subjects(fresh))
        return self._subjects[numbers]


def _in_order(additions: dict[str, Addition]) -> Iterator[tuple[Sum, list[Column]]]:
    """Each sum's columns; it is let go of, because these are the largest things in memory."""
    names = list(additions)
    return ahead((addition.table, addition.columns()) for addition in map(additions.pop, names))


def _current(type_: str, schema: int, lines: bytes) -> bytes:
    if schema == event_class(type_).schema_version:
        return lines
    return b"\n".join(json.dumps(upcast(type_, schema, json.loads(line))).encode() for line in lines.split(b"\n"))


@contextmanager
def _uncollected() -> Iterator[None]:
    """What is folded has no cycles, and looking for them costs a fifth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
