"""A log read in columns, where the store is a file: what a fold of sums needs of each event, and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from shared.envelope import Recorded

Column = npt.NDArray[np.int64]


class Share(NamedTuple):
    """One of several readers' part of the log: the subjects whose number divided by `of` leaves one of these."""

    first: int = 0
    last: int = 0
    of: int = 1


WHOLE = Share()


class Events(NamedTuple):
    """Events of one type and schema: each one's subject by its number, and the payloads as stored, a line each."""

    subjects: Column
    lines: bytes


class Slice(NamedTuple):
    """Some events of a log, by type and schema."""

    position: int
    events: Mapping[tuple[str, int], Events]


class Scan(Protocol):
    """The positions above `after` up to `upto`. It can be sent to another process and read there."""

    @property
    def after(self) -> int:
        """Where it begins."""

    @property
    def upto(self) -> int:
        """Where it ends."""

    def slices(self, types: Collection[str], share: Share = WHOLE) -> Iterator[Slice]:
        """The events of these types in order, some ten thousand positions at a time."""

    def events(self, types: Collection[str], share: Share = WHOLE) -> Iterator[list[Recorded]]:
        """Whole events of these types in order, some thousand at a time."""

    def subjects(self, numbers: Column) -> list[str]:
        """The subjects with these numbers."""
