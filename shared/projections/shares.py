"""A replay that several processes share: each builds what its subjects come to in a file of its own, beside.

What the others have built is then added by SQLite, file to file. They do all that concerns their subjects alone:
reading, folding, writing, derived tables; a file that had to take rows from one writer gained little by a second one.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from shared.codec import Codec
from shared.errors import RapportError
from shared.memory import collect_rarely
from shared.projections import attached, bulk
from shared.projections.family import Family
from shared.projections.home import Place
from shared.projections.page import Pages
from shared.projections.progress import STORE, Applied, Progress
from shared.projections.refresh import Refresher
from shared.projections.replay import Part, Told
from shared.projections.sqlite_home import SqlitePlace, scratch
from shared.projections.storage import Storage
from shared.projections.words import Words
from shared.scan import WHOLE, Scan, Share

MOST: Final = 8
"""Processes that share a replay; SQLite attaches ten files."""
_OWN, _OTHERS = 15, 17
_LISTEN_AGAIN: Final = 1.0
"""Seconds after which whoever is told how far it is may say that it is not wanted any more."""
_SUMS_A_PROCESS: Final = 200_000
_EVENTS_A_PROCESS: Final = 50_000
"""Starting a process takes a second or two, in which as many events go into sums, or into documents."""


def processes_for(family: Family, events: int) -> int:
    """How many processes a replay of so many events is worth."""
    worth = _EVENTS_A_PROCESS if family.documents or family.derived else _SUMS_A_PROCESS
    return min(os.cpu_count() or 1, 1 + events // worth, MOST)


class Order(NamedTuple):
    """What is to be built, of a share of the subjects, in which file."""

    family: Family
    codec: Codec
    scan: Scan
    empty: bool = False
    """Whether the generation holds nothing yet; otherwise documents need the rows that are there."""
    erased: Sequence[str] = ()
    share: Share = WHOLE
    path: Path = Path()


def build(order: Order, told: Told) -> int:
    """Build it; from how many events."""
    place = SqlitePlace(order.path, lasting=False)
    storage = Storage(order.family)
    words = Words(storage, place)
    pages = Pages(order.family, storage, words, order.codec, rebuild=True)
    with place.writer.begin() as db:
        storage.create(db)
        storage.unindex(db)
        bulk.insert(db, storage.erased, [(subject,) for subject in order.erased])
        some = order.family.apart if order.empty else ()
        applied = pages.replay(db, order.scan, Part(order.share, [(order.share, some)]), told)
        if order.empty:
            Refresher(storage, words).everything(db, order.family.together_apart)
    place.close()
    return applied.events[STORE]


class Shares:
    """What other processes build of one replay, and what is left for this one."""

    def __init__(self, family: Family, workers: Sequence[_Worker], *, empty: bool, told: Told) -> None:
        self._family = family
        self._workers = workers
        self.empty = empty
        self._told = told
        if not workers:
            self.part = Part(WHOLE, [(WHOLE, family.documents)])
            return
        own = _share(0, 1 + len(workers))
        apart = family.apart if empty else ()
        others = [document for document in family.documents if document not in apart]
        self.part = Part(own, [(own, apart), (WHOLE, others)] if others else [(own, apart)])

    def told(self, position: int) -> None:
        """Tell how far all have come, when this process has come so far."""
        for worker in self._workers:
            worker.listen()
        self._told(min([position, *(worker.position for worker in self._workers)]))

    def added(self, db: sa.Connection, storage: Storage, words: Words, applied: Applied) -> Applied:
        """Add what the others have built, when they are ready, to what this process has applied."""
        if not self._workers:
            return applied
        refresher = Refresher(storage, words)
        upto = self._workers[0].upto
        if self.empty:  # they are at it, too
            refresher.everything(db, self._family.together_apart, lambda: self.told(upto))
        while unfinished := [worker for worker in self._workers if worker.events is None]:
            wait([worker.pipe for worker in unfinished], _LISTEN_AGAIN)
            self.told(upto)
        for number, worker in enumerate(self._workers):
            attached.add(db, storage, words, self._family, worker.path, f"share{number}")
        for first, *_ in self._family.together:
            if first.through is not None:  # of those who were merged, each share knew but some
                refresher.touch(db, first, attached.merged(db, storage, words, first.through))
        applied.events[STORE] += sum(worker.events or 0 for worker in self._workers)
        return applied._replace(touched=bool(self._family.derived))


class _Worker:
    """One of the other processes."""

    def __init__(self, order: Order, context: Any) -> None:
        self.path = order.path
        self.position, self.upto = order.scan.after, order.scan.upto
        self.events: int | None = None
        self.pipe, to_us = context.Pipe(duplex=False)
        # pickled here, although a fork could do without: connections must not be taken into another process
        self._process = context.Process(target=_work, args=(to_us, pickle.dumps(order)), daemon=True)
        self._process.start()
        to_us.close()

    def listen(self) -> None:
        """Hear what it has said since.

        Raises:
            RapportError: it could not do it.
        """
        while self.events is None and self.pipe.poll():
            try:
                said = self.pipe.recv()
            except EOFError:
                raise RapportError("a process that shares a replay has died") from None
            if isinstance(said, str):
                raise RapportError(said)
            self.position, self.events = said

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.join()
        self.pipe.close()


@contextmanager
def shared(order: Order, place: Place, storage: Storage, processes: int, told: Told) -> Iterator[Shares]:
    """Have other processes build all but the first share of what is ordered, for as long as this is open."""
    workers: list[_Worker] = []
    order = _as_it_is(order, place, storage)
    with ExitStack() as until_end:
        if processes > 1 and place.folder is not None and order.family.module is not None:
            processes = min(processes, MOST)
            folder = Path(until_end.enter_context(scratch(place.folder, place.name)))
            until_end.callback(attached.detach, place, [f"share{number}" for number in range(processes - 1)])
            # a process with threads must not be forked: a lock that one of them holds would stay locked in the child
            context: Any = multiprocessing.get_context("fork" if threading.active_count() == 1 else "spawn")
            for number in range(1, processes):
                own = order._replace(share=_share(number, processes), path=folder / f"{number}.db")
                workers.append(_Worker(own, context))
                until_end.callback(workers[-1].stop)
        yield Shares(order.family, workers, empty=order.empty, told=told)


def _as_it_is(order: Order, place: Place, storage: Storage) -> Order:
    """What is ordered for a generation as it stands."""
    with place.readers.begin() as db:
        applied = sum(mark.applied for mark in Progress(storage).marks(db).values())
        erased = db.execute(sa.select(storage.erased.c.subject)).scalars().all()
    return order._replace(empty=place.folder is not None and not applied, erased=erased)


def _share(number: int, processes: int) -> Share:
    """The first one's is smaller, because it also adds what the others have built."""
    of = _OWN + _OTHERS * (processes - 1)
    if number == 0:
        return Share(0, _OWN - 1, of)
    first = _OWN + _OTHERS * (number - 1)
    return Share(first, first + _OTHERS - 1, of)


def _work(to_parent: Connection, order: bytes) -> None:
    collect_rarely()
    try:
        asked: Order = pickle.loads(order)  # noqa: S301, it comes from the process that started this one
        events = build(asked, lambda position: to_parent.send((position, None)))
        to_parent.send((asked.scan.upto, events))
    except BrokenPipeError:
        return  # nobody waits for it any more
    except Exception as error:  # noqa: BLE001, the parent raises it
        to_parent.send(f"{type(error).__name__}: {error}")
