"""What backing up and restoring tell of themselves: progress, and in the end what the log came to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

from shared.backups.files import Damaged
from shared.backups.log import Fitting, Reading
from shared.backups.sqlite import copied
from shared.threads import in_thread

Report = dict[str, Any]


async def copying(what: str, source: Path, target: Path) -> AsyncIterator[Report]:
    """Copy one moment of a SQLite file.

    Raises:
        StoreFailed: the one cannot be read, or the other not written.
    """
    with closing(copied(source, target)) as steps:
        while (step := await in_thread(next, steps, None)) is not None:
            yield progress(what, *step)


async def checking(
    reading: Reading, path: Path, fitting: Fitting | None = None, total: int | None = None
) -> AsyncIterator[Report]:
    """Read a copied log from its first event to its last.

    Raises:
        Damaged: it is not what was appended, or a key does not fit it.
    """
    async for done in reading.steps(path, fitting):
        yield progress("checking", done, total or done)


def progress(what: str, done: int, total: int) -> Report:
    """A step of the way."""
    return {"progress": {"what": what, "done": done, "total": total}}


def outcome(reading: Reading, damage: Damaged | None = None) -> Report:
    """What was read of a log: all of it, or as far as it is good."""
    return {
        "events": reading.chain.events,
        "streams": reading.chain.streams,
        "head": reading.chain.head,
        "checksum": reading.checksum,
        "ok": damage is None,
        "first_bad": damage.first_bad if damage else None,
        "damage": str(damage) if damage else None,
    }
