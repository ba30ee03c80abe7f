"""Backing a folder up while it is in use: one moment of its log, its accounts, and apart from them its keys."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Final

from shared.backups import files
from shared.backups.files import ACCOUNTS, EVENTS, FORMAT, KEYRING, Damaged, Manifest, Unsuitable
from shared.backups.log import Reading
from shared.backups.reports import Report, checking, copying, outcome
from shared.backups.sqlite import key_count, store_id
from shared.clock import stamp, utc_now
from shared.crashpoints import crashpoint
from shared.threads import in_thread

_WITHOUT_SESSIONS: Final = ("PRAGMA secure_delete=ON", "DELETE FROM sessions", "PRAGMA journal_mode=DELETE")
"""People sign in again where a backup is restored; and the copy is one file without a log beside it."""


async def backup(data: Path, folder: Path, keys: Path | None = None) -> AsyncGenerator[Report, None]:
    """Back the folder `data` up into a new `folder`, and its keys into the new file `keys`.

    Yields progress, then one `result`. Whoever writes meanwhile does not wait; what they write is not in the backup.
    The copy is read from its first event to its last before it gets its name: a backup is whole, or not there.

    Raises:
        Unsuitable: there is nothing to back up, or something is where the backup is to be.
        StoreFailed: a file cannot be read or written.
    """
    _require(data, folder, keys)
    reading = Reading()
    count = None
    try:
        with files.new_file(keys) as keys_copy, files.new_folder(folder) as making:
            async for report in copying("copying", data / EVENTS, making / EVENTS):
                yield report
            if keys_copy is not None:
                # behind the events: whoever they are about has a key by now, and who was erased since has none
                async for report in copying("keys", data / KEYRING, keys_copy):
                    yield report
                count = await in_thread(key_count, keys_copy)
            async for report in _finish(data, making, reading):
                yield report
            crashpoint("backup.written")
    except Damaged as damage:
        yield {"result": outcome(reading, damage)}
    else:
        yield {"result": outcome(reading) | {"keys": count}}


async def _finish(data: Path, making: Path, reading: Reading) -> AsyncIterator[Report]:
    if (data / ACCOUNTS).exists():
        await in_thread(_copy_accounts, data / ACCOUNTS, making / ACCOUNTS)
    async for report in checking(reading, making / EVENTS):
        yield report
    await in_thread(_describe, making, reading)


def _require(data: Path, folder: Path, keys: Path | None) -> None:
    if not (data / EVENTS).is_file():
        raise Unsuitable(
            f"{data} holds no {EVENTS}: only a folder that `rapport up` serves is backed up so; what a deployment keeps"
            " is backed up with the tools of its servers"
        )
    files.require_new(folder)
    if keys is None:
        return
    if keys.exists():
        raise Unsuitable(f"--keys: {keys} is there already: name a new file")
    if keys.resolve().is_relative_to(folder.resolve()):
        raise Unsuitable("--keys: keys are kept apart from the backup, or no erasure would be true: name another place")


def _copy_accounts(source: Path, target: Path) -> None:
    # with the library that serves the file: two in one process would break each other's locks
    reading, writing = f"{source.resolve().as_uri()}?mode=ro", str(target)
    with (
        closing(sqlite3.connect(reading, uri=True)) as ours,
        closing(sqlite3.connect(writing, isolation_level=None)) as theirs,
    ):
        ours.backup(theirs)
        for statement in _WITHOUT_SESSIONS:
            theirs.execute(statement)


def _describe(making: Path, reading: Reading) -> None:
    manifest = Manifest(
        format=FORMAT,
        rapport=version("rapport"),
        made_at=stamp(utc_now()),
        store=store_id(making / EVENTS),
        events=reading.chain.events,
        streams=reading.chain.streams,
        head=reading.chain.head,
        checksum=reading.checksum,
        files={path.name: files.described(path) for path in sorted(making.iterdir())},
    )
    files.write(manifest, making)
