"""Bringing a generation a long way forward at once: the log is folded in memory, by several processes if wanted.

Each process folds the subjects of its share; what it sends is added up and written in key order, with the watermark,
in one transaction. The fold is that of live pages; what is saved is reading whole events and writing the same rows
once a page.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from multiprocessing.connection import Connection, wait
from typing import Final, NamedTuple

import numpy as np
import sqlalchemy as sa

from shared.errors import RapportError
from shared.events import event_class, upcast
from shared.memory import return_large
from shared.projections.additions import Addition
from shared.projections.bulk import Column
from shared.projections.columns import Subject
from shared.projections.fold import Plan
from shared.projections.storage import is_coded
from shared.projections.tables import Sum
from shared.projections.words import Words
from shared.scan import WHOLE, Scan, Share, Slice
from shared.threads import ahead

_ROWS_IN_MEMORY: Final = 8_000_000
"""Rows of all sums that a process keeps; what is more is handed over to be written, and added up there."""

_EVENTS_A_PROCESS: Final = 200_000
"""Starting a process takes a second or two, in which as many events are folded."""

Told = Callable[[int, int], None]
"""Told how far the log was folded, and how far it goes."""


class Part(NamedTuple):
    """What a share of the log came to since the part before: what is new in keys, and columns of the sums."""

    position: int
    events: int
    subjects: Column
    """By their number in the store."""
    texts: list[str]
    """Their numbers go on from the part before."""
    sums: dict[str, list[Column]]


def processes_for(events: int) -> int:
    """How many processes a replay of so many events is worth."""
    return min(os.cpu_count() or 1, 1 + events // _EVENTS_A_PROCESS)


class _Texts(dict[str, int]):
    """Numbers for texts, in the order of first sight."""

    def __missing__(self, text: str) -> int:
        number = self[text] = len(self)
        return number

    def numbers(self, texts: list[str]) -> Column:
        return np.fromiter(map(self.__getitem__, texts), np.int64, len(texts))


def fold(scan: Scan, sums: Sequence[Sum], share: Share) -> Iterator[Part]:
    """Fold a share of the log: a part for each slice, with sums in it when memory is full and at the end."""
    return_large()
    plans = {type_: Plan(type_, sums) for table in sums for type_ in table.types}
    additions = {table.name: Addition(table) for table in sums}
    texts = _Texts()
    told = 0
    slices = scan.slices(plans.keys(), share)
    if share == WHOLE:  # a fifth faster; of several processes every processor has one already
        slices = ahead(slices)
    for slice_ in slices:
        events = 0
        for (type_, schema), (subjects, lines) in slice_.events.items():
            events += len(subjects)
            for name, keys, values in plans[type_].fold(subjects, _current(type_, schema, lines), texts.numbers):
                additions[name].add(keys, values)
        full = sum(map(len, additions.values())) > _ROWS_IN_MEMORY
        sent: dict[str, list[Column]] = {}
        if full or slice_.position == scan.upto:
            sent = {name: addition.columns() for name, addition in additions.items()}
            additions = {table.name: Addition(table) for table in sums}
        yield Part(slice_.position, events, _subjects(slice_), list(islice(texts, told, None)), sent)
        told = len(texts)


class Replay:
    """Folds the log by `processes` and gives the sums in the words of one generation."""

    def __init__(self, scan: Scan, sums: Sequence[Sum], words: Words, told: Told) -> None:
        self.events = 0
        self._scan = scan
        self._sums = sums
        self._words = words
        self._told = told
        self._folded: dict[int, int] = {}
        self._subjects = np.zeros(1, np.int64)
        """The code of each subject by its number in the store, 0 for one not met yet."""
        self._texts: dict[int, list[Column]] = defaultdict(list)
        """The codes of each worker's texts."""

    def run(self, db: sa.Connection, processes: int) -> Iterator[tuple[Sum, list[Column]]]:
        """The columns of each sum, more than once if they do not fit into memory."""
        waiting: list[tuple[int, dict[str, list[Column]]]] = []
        with _parts(self._scan, self._sums, processes) as parts:
            for worker, part in parts:
                self._give_codes(db, worker, part)
                self._folded[worker] = part.position
                self.events += part.events
                if len(self._folded) == processes:
                    self._told(min(self._folded.values()), self._scan.upto)
                if part.sums:
                    waiting.append((worker, part.sums))
                if len(waiting) > processes:
                    yield from self._added_up(waiting)
                    waiting = []
        yield from self._added_up(waiting)

    def _give_codes(self, db: sa.Connection, worker: int, part: Part) -> None:
        # as they come: when the workers have ended, another processor than ours has nothing left to do
        short = 1 + int(part.subjects.max(initial=0)) - len(self._subjects)
        if short > 0:
            self._subjects = np.concatenate((self._subjects, np.zeros(short + len(self._subjects), np.int64)))
        fresh = part.subjects[self._subjects[part.subjects] == 0]
        if len(fresh):
            self._subjects[fresh] = self._codes(db, self._scan.subjects(fresh))
        if part.texts:
            self._texts[worker].append(self._codes(db, part.texts))

    def _codes(self, db: sa.Connection, texts: Sequence[str]) -> Column:
        known = self._words.codes(db, texts)
        return np.fromiter(map(known.__getitem__, texts), np.int64, len(texts))

    def _added_up(self, parts: Sequence[tuple[int, dict[str, list[Column]]]]) -> Iterator[tuple[Sum, list[Column]]]:
        """Add up what workers sent, with the generation's codes instead of the store's and their own numbers."""
        texts = {worker: np.concatenate([np.zeros(0, np.int64), *self._texts[worker]]) for worker, _ in parts}
        return ahead((table, self._sum(table, parts, texts)) for table in self._sums)

    def _sum(
        self, table: Sum, parts: Sequence[tuple[int, dict[str, list[Column]]]], texts: Mapping[int, Column]
    ) -> list[Column]:
        addition = Addition(table)
        for worker, sums in parts:
            columns = sums.pop(table.name)  # let go of it: it is the largest thing in memory
            known = [self._subjects if isinstance(part, Subject) else texts[worker] for part in table.key]
            keys = [
                codes[column] if is_coded(part) else column
                for part, codes, column in zip(table.key, known, columns, strict=False)
            ]
            addition.add(keys, columns[len(keys) :])
        return addition.columns()


def _subjects(slice_: Slice) -> Column:
    return np.unique(np.concatenate([np.zeros(0, np.int64), *(events.subjects for events in slice_.events.values())]))


def _current(type_: str, schema: int, lines: bytes) -> bytes:
    if schema == event_class(type_).schema_version:
        return lines
    return b"\n".join(json.dumps(upcast(type_, schema, json.loads(line))).encode() for line in lines.split(b"\n"))


@contextmanager
def _parts(scan: Scan, sums: Sequence[Sum], processes: int) -> Iterator[Iterable[tuple[int, Part]]]:
    if processes == 1:
        with _uncollected():
            yield ((0, part) for part in fold(scan, sums, WHOLE))
        return
    # a process with threads must not be forked: a lock that one of them holds would stay locked in the child
    forks = threading.active_count() == 1
    context = multiprocessing.get_context("fork") if forks else multiprocessing.get_context("spawn")
    pipes = [context.Pipe(duplex=False) for _ in range(processes)]
    workers = [
        context.Process(target=_work, args=(to_us, scan, sums, Share(number, processes)), daemon=True)
        for number, (_, to_us) in enumerate(pipes)
    ]
    try:
        for worker, (_, to_us) in zip(workers, pipes, strict=True):
            worker.start()
            to_us.close()
        yield _received([from_them for from_them, _ in pipes])
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def _work(to_parent: Connection, scan: Scan, sums: Sequence[Sum], share: Share) -> None:
    gc.freeze()
    gc.disable()  # what is folded has no cycles, and looking for them costs a fifth of the time
    try:
        for part in fold(scan, sums, share):
            to_parent.send(part)
        to_parent.send(None)
    except Exception as error:  # noqa: BLE001, the parent raises it
        to_parent.send(f"{type(error).__name__}: {error}")


def _received(pipes: list[Connection]) -> Iterator[tuple[int, Part]]:
    numbers = {pipe: number for number, pipe in enumerate(pipes)}
    while numbers:
        for pipe in [pipe for pipe in wait(list(numbers)) if isinstance(pipe, Connection)]:
            try:
                part = pipe.recv()
            except EOFError:
                raise RapportError("a process that folds the log has died") from None
            if part is None:
                del numbers[pipe]
            elif isinstance(part, Part):
                yield numbers[pipe], part
            else:
                raise RapportError(part)


@contextmanager
def _uncollected() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
