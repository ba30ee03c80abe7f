"""A process beside the one that serves, for what is much at once: replays, and derived tables of many customers.

Both are Python for seconds on end. In the serving process they keep its commands waiting for the interpreter's lock: of
an import they took a third.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Final, NamedTuple

from shared.codec import Codec
from shared.errors import RapportError, Unreachable
from shared.memory import collect_rarely
from shared.projections.family import Family
from shared.projections.generation import Generation, Moved
from shared.projections.home import Place
from shared.projections.page import TRANSIENT
from shared.projections.replay import Told
from shared.projections.sqlite_home import SqlitePlace
from shared.scan import Scan

_WORTH: Final = 2_000
"""Events or groups for which it is started: that takes a second or two, and these take half of one where they are."""
_MANY: Final = 500
"""Events or groups that are given to it when it is there."""
_LISTEN_AGAIN: Final = 0.5
"""Seconds after which whoever waits for it is told again how far it is, and may say that it is not wanted any more."""
_DEATHS: Final = 3
"""How often in a row it may die before all is done in the serving process: there may be no memory for it."""
_IDLE: Final = 60.0
"""Seconds without a task after which it ends."""


class _Task(NamedTuple):
    """A replay of one generation in a folder, or a refresh where there is no scan."""

    family: Family
    number: int
    path: Path
    codec: Codec
    idle: int
    scan: Scan | None = None
    processes: int = 1


class _Done(NamedTuple):
    """How a task ended: what it gave, or why it was not done."""

    result: bool = True
    error: type[RapportError] | None = None
    why: str = ""


class Beside:
    """The process. One task at a time; it is started with the first that is worth it, and ends when it has none."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._closed = os.cpu_count() == 1
        self._deaths = 0

    def generation(self, family: Family, number: int, place: Place, codec: Codec) -> Generation:
        """A generation whose replays and larger refreshes are done here, if its place can be opened here too."""
        if isinstance(place, SqlitePlace) and family.module is not None:
            return _Generation(family, number, place, codec, self)
        return Generation(family, number, place, codec)

    def takes(self, much: int) -> bool:
        """Whether so much is to be done here."""
        process = self._process
        there = process is not None and process.is_alive()
        return not self._closed and self._deaths < _DEATHS and much >= (_MANY if there else _WORTH)

    def do(self, task: _Task, told: Told) -> bool:
        """Do it, and say what it gave.

        Raises:
            Unreachable: something failed that may pass, among it the death of the process.
            Moved: the generation is not where the scan begins.
        """
        position = task.scan.after if task.scan else 0
        while not self._turn.acquire(timeout=_LISTEN_AGAIN):
            told(position)
        try:
            pipe = self._there()
            pipe.send_bytes(pickle.dumps(task))
            while True:
                said = pipe.recv() if pipe.poll(_LISTEN_AGAIN) else position
                if isinstance(said, _Done):
                    break
                position = said
                told(position)
        except (EOFError, OSError) as error:
            self._deaths += 1
            self._end()
            raise Unreachable("the process that builds read models has died") from error
        except BaseException:  # it would go on with what nobody wants
            self._end()
            raise
        finally:
            self._turn.release()
        self._deaths = 0
        if said.error is not None:
            raise said.error(said.why)
        return said.result

    def close(self) -> None:
        """End it; what it was doing is taken back."""
        self._closed = True
        with self._turn:
            self._end()

    def _there(self) -> Connection:
        if self._pipe is None or self._process is None or not self._process.is_alive():
            self._end()
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_work, args=(theirs, os.getpid()))
            self._process.start()
            theirs.close()
        return self._pipe

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None


class _Generation(Generation):
    """One whose replays and larger refreshes are done beside, while nobody moves it here."""

    place: SqlitePlace

    def __init__(self, family: Family, number: int, place: SqlitePlace, codec: Codec, beside: Beside) -> None:
        super().__init__(family, number, place, codec)
        self._beside = beside

    def replay(self, scan: Scan, *, processes: int = 1, told: Told = lambda _: None) -> None:
        """Go on to the end of a scan at once, in one transaction."""
        if self._beside.takes(scan.upto - scan.after):
            with self._lock:
                self._beside.do(self._task(scan, processes), told)
        else:
            super().replay(scan, processes=processes, told=told)

    def refresh(self) -> bool:
        """Bring the derived tables up to what was applied before."""
        if not self.family.derived or not self._beside.takes(self.unrefreshed()):
            return super().refresh()
        with self._lock:
            return self._beside.do(self._task(), lambda _: None)

    def _task(self, scan: Scan | None = None, processes: int = 1) -> _Task:
        return _Task(self.family, self.number, self.place.path, self._codec, self._idle, scan, processes)


def _work(pipe: Connection, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the parent, which then ends this process
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    collect_rarely()
    opened: dict[Path, tuple[int, Generation]] = {}
    with suppress(EOFError):
        while pipe.poll(_IDLE):
            pipe.send(_done(pickle.loads(pipe.recv_bytes()), opened, pipe.send))  # noqa: S301, the parent sent it


def _done(task: _Task, opened: dict[Path, tuple[int, Generation]], told: Told) -> _Done:
    try:
        generation = _opened(task, opened)
        if task.scan is None:
            return _Done(generation.refresh())
        generation.idle(task.idle)
        generation.replay(task.scan, processes=task.processes, told=told)
    except TRANSIENT as error:
        return _Done(error=Unreachable, why=f"{type(error).__name__}: {error}")
    except Moved as error:
        return _Done(error=Moved, why=str(error))
    except Exception as error:  # noqa: BLE001, the parent raises it
        return _Done(error=RapportError, why=f"{type(error).__name__}: {error}")
    return _Done()


def _opened(task: _Task, opened: dict[Path, tuple[int, Generation]]) -> Generation:
    """The generation in a file; another file may have come to stand under the same name."""
    inode = task.path.stat().st_ino
    if task.path not in opened or opened[task.path][0] != inode:
        if task.path in opened:
            opened.pop(task.path)[1].close()
        opened[task.path] = inode, Generation(task.family, task.number, SqlitePlace(task.path), task.codec)
    return opened[task.path][1]


def _watch(parent: int) -> None:
    """End this process when its parent has died: it must not write any more what another parent may write."""
    while os.getppid() == parent:
        time.sleep(0.1)
    os._exit(1)
