"""The naive store: the same file, the same rows, hash chain and heads in memory, but a commit for each append.

The clients are those of `append.py`; each waits for its turn.
"""

import argparse
import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from append import arguments, run

from shared.envelope import Draft, Head, Recorded
from shared.errors import RapportError
from shared.sqlite_files import open_durable
from shared.sqlite_store import SqliteStore
from shared.sqlite_writer import Append, Writer


class Each:
    """Commits on its own whatever it is given; SQLite's own checkpoints are part of its commits."""

    def __init__(self, path: Path) -> None:
        self._db = open_durable(path)
        self._writer = Writer(self._db)

    async def append(self, stream: str, head: Head, drafts: Sequence[Draft]) -> list[Recorded]:
        """Add all events or none."""
        await asyncio.sleep(0)
        (outcome,) = self._writer.commit([Append(stream, head, drafts)])
        if isinstance(outcome, RapportError):
            raise outcome
        return outcome

    async def close(self) -> None:
        """Let go of the file."""
        self._db.close()


async def held(options: argparse.Namespace) -> dict[str, float]:
    """One timed run."""
    path = options.folder / "events.db"
    await SqliteStore(path).close()
    return await run(Each(path), options)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(held(arguments(__doc__).parse_args()))))
