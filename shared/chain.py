"""The proof that a log is what was appended: positions, versions and chained hashes follow one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.envelope import FIRST_HASH, Recorded, chained


@dataclass
class Chain:
    """Checks positions, versions and chained hashes. Keeps 50-odd bytes a stream: its version and last hash.

    A `gapless` log has every position from 1 on; in others, positions only grow.
    """

    gapless: bool = False
    events: int = 0
    head: int = 0
    first_bad: int | None = None
    _ends: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    @property
    def streams(self) -> int:
        """How many streams there are."""
        return len(self._ends)

    @property
    def ends(self) -> Mapping[str, tuple[int, bytes]]:
        """The last version and hash of every stream."""
        return self._ends

    def check(self, event: Recorded) -> None:
        """Take the next event of the log."""
        if self.first_bad is None:
            self.first_bad = self._wrong(event)
        self.events += 1
        self.head = event.position
        self._ends[event.stream] = (event.version, event.hash)

    def _wrong(self, event: Recorded) -> int | None:
        """The position at which something is wrong, if anything is."""
        if self.gapless and event.position != self.head + 1:
            return self.head + 1
        version, previous = self._ends.get(event.stream, (-1, FIRST_HASH))
        follows = event.position > self.head and event.version == version + 1
        return None if follows and _sound(event, previous) else event.position


def _sound(event: Recorded, previous: bytes) -> bool:
    try:
        return (
            event.hash == chained(previous, event.stream, event.version, event) and event.meta.subject == event.subject
        )
    except Exception:  # noqa: BLE001, whatever was done to the bytes, they are not what was stored
        return False
