"""Having aiokafka hand over what it fetches batch by batch, not record by record.

A consumer that starts inside `whole_batches()` gives one record for each record batch, with the batch's bytes as its
value and its last offset. aiokafka still sees to transactions, checksums and positions; what it does no more is to
make an object of each header of each record, which took two thirds of all that consuming an event took.
A batch comes whole, even if a seek went into its middle.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import aiokafka.consumer.fetcher
from aiokafka.record.default_records import DefaultRecord, DefaultRecordBase, DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

_wanted: ContextVar[bool] = ContextVar("whole_batches", default=False)
_LENGTH_AT: Final = 8
_LENGTH_ENDS: Final[int] = DefaultRecordBase.AFTER_LEN_OFFSET


@contextmanager
def whole_batches() -> Iterator[None]:
    """Have the consumers that are started in here, and their tasks, hand over whole batches."""
    before = _wanted.set(True)
    try:
        yield
    finally:
        _wanted.reset(before)


class _WholeBatch:
    """A batch that iterates over itself alone; everything else about it aiokafka's own batch knows."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._batch = DefaultRecordBatch(content)

    def __iter__(self) -> Iterator[DefaultRecord]:
        batch = self._batch
        yield DefaultRecord(batch.next_offset - 1, batch.max_timestamp, batch.timestamp_type, None, self._content, [])

    def __next__(self) -> DefaultRecord:  # asked for only of batches that mark the end of a transaction
        return next(self._batch)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)


class _WholeBatches:
    """The batches that one fetch brought of one partition; the last may be cut off and is fetched again."""

    def __init__(self, fetched: bytes) -> None:
        self._fetched = fetched
        self._at = 0

    def size_in_bytes(self) -> int:
        """How much was fetched."""
        return len(self._fetched)

    def has_next(self) -> bool:
        """Whether there is another batch to its end."""
        return self._at + _LENGTH_ENDS < len(self._fetched) and self._end() <= len(self._fetched)

    def next_batch(self) -> _WholeBatch:
        """The next batch."""
        begin, self._at = self._at, self._end()
        return _WholeBatch(self._fetched[begin : self._at])

    def _end(self) -> int:
        length = self._fetched[self._at + _LENGTH_AT : self._at + _LENGTH_ENDS]
        return self._at + _LENGTH_ENDS + int.from_bytes(length, "big")


def _fetched(content: bytes) -> Any:
    return _WholeBatches(content) if _wanted.get() else MemoryRecords(content)


aiokafka.consumer.fetcher.MemoryRecords = _fetched
