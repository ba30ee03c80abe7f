"""The file of rejected rows: the import file's own columns, then row number and reason, ready to be mended and sent."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

from services.commands.failure import Failure
from services.commands.formats.records import Reject

_PACKED = {".gz"}


class _Writer(Protocol):
    def writerow(self, row: Iterable[Any], /) -> Any: ...


def default_path(source: Path) -> Path:
    """`<file stem>.rejects.csv` in the current folder."""
    name = source.with_suffix("") if source.suffix in _PACKED else source
    return Path.cwd() / f"{name.stem}.rejects.csv"


class RejectsFile:
    """Written as rejects come; created with the first one, replacing the file of an earlier run."""

    def __init__(self, path: Path, header: Sequence[str]) -> None:
        self._path = path
        self._header = header
        self._file: IO[str] | None = None
        self._out: _Writer | None = None
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def path(self) -> Path | None:
        """Where the rejects are; None when there are none."""
        return self._path if self.count else None

    def add(self, rejects: Iterable[Reject]) -> int:
        """Writes rejects down and says how many they were.

        Raises:
            Failure: When the file cannot be written.
        """
        before = self.count
        try:
            for reject in rejects:
                self._writer().writerow([*reject.cells, reject.row, reject.reason])
                self.count += 1
        except OSError as error:
            raise Failure(f"--rejects: {self._path}: {error.strerror}") from error
        return self.count - before

    def _writer(self) -> _Writer:
        if self._out is None:
            self._file = self._path.open("w", encoding="utf-8", newline="")
            self._out = csv.writer(self._file)
            self._out.writerow([*self._header, "row", "reason"])
        return self._out
