"""Lines of a text file, plain or gzip, within fixed bounds: a file that unpacks without end is refused, not read."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from types import TracebackType
from typing import Self

from services.commands.formats.records import BadFile

MAX_BYTES = 16 * 2**30
"""How much a file may unpack to."""
MAX_LINE = 2**20
"""The longest line, in bytes."""
_BOM = b"\xef\xbb\xbf"
_GZIP_MAGIC = b"\x1f\x8b"


class Source:
    """An open import file; `done` of `size` bytes (as stored on disk) are read, for progress."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._raw = path.open("rb")
        except OSError as error:
            raise BadFile(f"{path}: {error.strerror}") from error
        self.size = path.stat().st_size
        packed = self._raw.read(2) == _GZIP_MAGIC
        self._raw.seek(0)
        self._text: BufferedIOBase = gzip.GzipFile(fileobj=self._raw) if packed else self._raw

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._text.close()
        self._raw.close()

    @property
    def done(self) -> int:
        """Bytes of the stored file that were read so far."""
        return self._raw.tell()

    def lines(self) -> Iterator[bytes]:
        """Every line with its end, without a byte order mark.

        Raises:
            BadFile: When the file cannot be unpacked or is out of bounds.
        """
        total = 0
        for number, line in enumerate(self._raw_lines(), 1):
            total += len(line)
            if len(line) > MAX_LINE:
                raise BadFile(f"{self.path}: line {number} is longer than {MAX_LINE:,} bytes")
            if total > MAX_BYTES:
                raise BadFile(f"{self.path}: unpacks to more than {MAX_BYTES:,} bytes")
            yield line.removeprefix(_BOM) if number == 1 else line

    def _raw_lines(self) -> Iterator[bytes]:
        try:
            while line := self._text.readline(MAX_LINE + 1):
                yield line
        except (EOFError, OSError, zlib.error) as error:
            raise BadFile(f"{self.path}: cannot be unpacked: {error}") from error


def decoded(line: bytes, path: Path, row: int) -> str:
    """The line as text; a byte that is not UTF-8 refuses the file and names the row."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadFile(
            f"{path}: row {row} is not UTF-8 (byte 0x{line[error.start]:02x}); save the file as UTF-8"
        ) from None
