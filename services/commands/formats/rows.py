"""CSV files in which each row is one item, such as a customer or a product."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

from services.commands.formats.records import Reject, Rejected, RowBatch
from services.commands.formats.table import Table

Item = TypeVar("Item")
BATCH = 500
"""How many items are sent together at most."""


class RowFile(Generic[Item]):
    """A table whose rows are items, read once from front to end; `read` makes an item of the cells or rejects them."""

    def __init__(self, table: Table, read: Callable[[list[str]], Item]) -> None:
        self._table = table
        self._read = read

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._table.__exit__(kind, error, trace)

    @property
    def header(self) -> list[str]:
        """The file's own columns."""
        return self._table.header

    @property
    def size(self) -> int:
        """The file's size on disk in bytes."""
        return self._table.source.size

    @property
    def done(self) -> int:
        """Bytes on disk that are read so far."""
        return self._table.source.done

    def batches(self) -> Iterator[RowBatch[Item]]:
        """The items in the file's order, up to 500 rows at a time.

        Raises:
            BadFile: When the file cannot be read further; rerunning the mended file is safe.
        """
        batch = RowBatch[Item]()
        for row, given in self._table.rows():
            try:
                batch.add(self._read(self._table.pick(given)), row, given)
            except Rejected as reason:
                batch.rejects.append(Reject(row, given, str(reason)))
            if len(batch) == BATCH:
                yield batch
                batch = RowBatch[Item]()
        if len(batch):
            yield batch
