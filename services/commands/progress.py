"""How far a long command is, on stderr: bars on a terminal, a line every few seconds elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from services.commands.failure import UNREACHABLE, Failure

LINE_SECONDS = 2.0
"""The least time between two lines where stderr is not a terminal."""


class Report(Protocol):
    """Told by a command what it does and how far it is."""

    def phase(self, what: str, total: int, unit: str = "") -> None:
        """The next piece of work begins; `total` counts `unit`s (an estimate may grow later)."""
        ...

    def at(self, done: int, total: int | None = None) -> None:
        """This much of the piece is done."""
        ...


@contextmanager
def reporting(wanted: bool | None) -> Iterator[Report]:
    """Progress as asked for: None means bars on a terminal and silence elsewhere."""
    terminal = sys.stderr.isatty()
    if wanted is False or (wanted is None and not terminal):
        yield _Silence()
    elif terminal:
        bars = _Bars()
        with bars.display:
            yield bars
    else:
        lines = _Lines()
        yield lines
        lines.end()


async def followed(
    lines: AsyncIterator[dict[str, Any]], report: Report, what: str, units: Mapping[str, str]
) -> dict[str, Any]:
    """The result at the end of the progress of some work; `units` says what each piece of it counts.

    Raises:
        Failure: the work said that it failed, or ended without a result.
    """
    piece = None
    async for line in lines:
        if "result" in line:
            result: dict[str, Any] = line["result"]
            return result
        if "failed" in line:
            raise Failure(line["failed"], UNREACHABLE)
        step = line["progress"]
        if step["what"] != piece:
            piece = step["what"]
            report.phase(piece, step["total"], units.get(piece, ""))
        report.at(step["done"], step["total"])
    raise Failure(f"{what} ended without a result", UNREACHABLE)


class _Silence:
    def phase(self, what: str, total: int, unit: str = "") -> None:
        """Nothing is shown."""

    def at(self, done: int, total: int | None = None) -> None:
        """Nothing is shown."""


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        unit = task.fields.get("unit", "")
        speed = task.finished_speed or task.speed
        return Text(f"{_amount(speed, unit)}/s" if speed else "", style="progress.data.speed")


class _Done(ProgressColumn):
    def render(self, task: Task) -> Text:
        unit = task.fields.get("unit", "")
        return Text(f"{_amount(task.completed, unit)} of {_amount(task.total or 0, unit)}", style="progress.download")


class _Bars:
    """A bar for each piece of work, with rate and time left."""

    def __init__(self) -> None:
        self.display = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(),
            _Done(),
            _Rate(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=Console(stderr=True),
        )
        self._task: TaskID | None = None

    def phase(self, what: str, total: int, unit: str = "") -> None:
        self._task = self.display.add_task(what, total=total, unit=unit)

    def at(self, done: int, total: int | None = None) -> None:
        if self._task is not None:
            self.display.update(self._task, completed=done, total=total)


class _Lines:
    """A line now and then: what, how far, how fast, how long still."""

    def __init__(self) -> None:
        self._what = ""
        self._unit = ""
        self._total = self._done = 0
        self._began = self._shown = 0.0

    def phase(self, what: str, total: int, unit: str = "") -> None:
        self.end()
        self._what, self._total, self._unit, self._done = what, total, unit, 0
        self._began = self._shown = time.monotonic()

    def at(self, done: int, total: int | None = None) -> None:
        self._done = done
        self._total = self._total if total is None else total
        if time.monotonic() - self._shown >= LINE_SECONDS:
            self._show()

    def end(self) -> None:
        if self._what:
            self._show()

    def _show(self) -> None:
        self._shown = time.monotonic()
        seconds = self._shown - self._began
        rate = self._done / seconds if seconds else 0.0
        left = timedelta(seconds=round((self._total - self._done) / rate)) if rate else "unknown"
        done, total, speed = (_amount(n, self._unit) for n in (self._done, self._total, rate))
        sys.stderr.write(f"{self._what}: {done} of {total}, {speed}/s, {left} left\n")


def _amount(count: float, unit: str) -> str:
    return decimal(int(count)) if unit == "bytes" else f"{count:,.0f} {unit}".rstrip()
