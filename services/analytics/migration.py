"""Migration: where the customers of each segment were at a later date."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from services.analytics.loyalty import SEGMENTS, IntArray, Segment

ABSENT = -1
"""The segment of a customer who had not bought yet, or has been erased since."""


@dataclass(frozen=True)
class Migration:
    """The segments of a base on two dates.

    Attributes:
        moves: Customers who were in the first segment and are in the second, also where there are none.
        gone: Customers of each first segment who are in none any more.
        born: Customers of each second segment who were in none before.
    """

    moves: Mapping[Segment, Mapping[Segment, int]]
    gone: Mapping[Segment, int]
    born: Mapping[Segment, int]

    @classmethod
    def of(cls, before: IntArray, after: IntArray) -> Self:
        """Count aligned columns, one entry per customer: indices into SEGMENTS, or ABSENT."""
        states = len(SEGMENTS) + 1  # ABSENT, being -1, is the last
        cells = np.bincount(before % states * states + after % states, minlength=states * states)
        matrix = [[int(count) for count in row] for row in cells.reshape(states, states)]
        return cls(
            moves={name: dict(zip(SEGMENTS, row, strict=False)) for name, row in zip(SEGMENTS, matrix, strict=False)},
            gone={name: row[-1] for name, row in zip(SEGMENTS, matrix, strict=False)},
            born=dict(zip(SEGMENTS, matrix[-1], strict=False)),
        )

    @property
    def n(self) -> int:
        """Customers in the base on the first date: those who moved or stayed, and those gone."""
        return sum(sum(row.values()) for row in self.moves.values()) + sum(self.gone.values())
