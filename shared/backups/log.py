"""A copied log, read from its first event to its last: whether it is whole, what it holds, and whose keys it needs."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from shared.backups.files import Damaged
from shared.backups.sqlite import every_event
from shared.chain import Chain
from shared.codec import Codec
from shared.envelope import Recorded
from shared.errors import UnreadableEvent
from shared.keyring import SEALED, SqliteKeyring
from shared.threads import in_thread

_PERSONAL: Final = f'"{SEALED}'.encode()


class Fitting:
    """Sees whether keys fit a log: `missing` has the subjects with personal fields that no key is there for."""

    def __init__(self, keyring: SqliteKeyring) -> None:
        self.missing: set[str] = set()
        self._keyring = keyring
        self._codec = Codec(keyring)
        self._seen: set[str] = set()

    def look(self, event: Recorded) -> None:
        """Open the first personal field of each subject.

        Raises:
            Damaged: its key does not open it.
        """
        if event.subject in self._seen or _PERSONAL not in event.data:
            return
        self._seen.add(event.subject)
        if self._keyring.find(event.subject) is None:
            self.missing.add(event.subject)
            return
        try:
            self._codec.revealed(event)
        except (UnreadableEvent, ValueError) as error:
            what = f"the key of {event.subject} does not fit the event at position {event.position}"
            raise Damaged(f"{what}: keys of another installation, or damaged ones ({error})") from error


class Reading:
    """Reads a store's file once and checks positions, versions and chained hashes, and whether keys fit."""

    def __init__(self) -> None:
        self.chain = Chain(gapless=True)
        self._fitting: Fitting | None = None
        self._digest = hashlib.sha256()

    @property
    def checksum(self) -> str:
        """SHA-256 over the hashes of all events read so far, in order."""
        return self._digest.hexdigest()

    async def steps(self, path: Path, fitting: Fitting | None = None) -> AsyncGenerator[int, None]:
        """Read it all; gives now and then how many events are done.

        Raises:
            Damaged: an event is not what was appended, or cannot be read at all; or a key does not fit.
        """
        self._fitting = fitting
        try:
            with closing(every_event(path)) as pages:
                while (events := await in_thread(next, pages, None)) is not None:
                    await in_thread(self._take, events)
                    yield self.chain.events
        except Damaged:
            raise
        except Exception as error:  # whatever SQLite or Python makes of damaged bytes
            behind = self.chain.head
            raise Damaged(f"the log cannot be read behind position {behind}: {error}", behind + 1) from error

    def _take(self, events: Sequence[Recorded]) -> None:
        for event in events:
            self.chain.check(event)
            if self.chain.first_bad is not None:
                raise Damaged(f"the log is damaged at position {self.chain.first_bad}", self.chain.first_bad)
            self._digest.update(event.hash)
            if self._fitting is not None:
                self._fitting.look(event)
