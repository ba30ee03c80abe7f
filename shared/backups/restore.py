"""Making a folder from a backup: everything is checked in a copy before the folder is there."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import closing
from pathlib import Path

from shared.backups import files
from shared.backups.files import EVENTS, KEYRING, Damaged, Manifest, Unsuitable
from shared.backups.log import Fitting, Reading
from shared.backups.reports import Report, checking, copying, outcome
from shared.backups.sqlite import key_count, new_identity, store_id
from shared.codec import Codec
from shared.crashpoints import crashpoint
from shared.decider import Log
from shared.errors import StoreFailed
from shared.keyring import SqliteKeyring
from shared.service import Service
from shared.sqlite_store import SqliteStore
from shared.threads import in_thread


async def restore(
    services: Collection[Service], folder: Path, data: Path, keys: Path | None = None
) -> AsyncGenerator[Report, None]:
    """Make the folder `data` from a backup and a file of keys; read models are built when it is first served.

    Yields progress, then one `result`. Keys that the log says are erased are destroyed again. A subject with personal
    fields whose key is not among the given ones can never have another: it would not open what stands in the log.

    Raises:
        Unsuitable: there is no backup, no keyring, or `data` is not empty; nothing was touched.
        StoreFailed: a file cannot be read or written.
    """
    files.require_new(data)
    if keys is not None:
        await in_thread(_require_keyring, keys)
    reading = Reading()
    settled: Report = {}
    try:
        manifest = files.read(folder)
        with files.new_folder(data) as making:
            if keys is not None:
                async for report in copying("keys", keys, making / KEYRING):
                    yield report
            wrong = await in_thread(_fetch, folder, manifest, making)
            with closing(SqliteKeyring(making / KEYRING)) as keyring:
                fitting = Fitting(keyring)
                async for report in _check(making / EVENTS, manifest, reading, fitting, wrong):
                    yield report
                settled = await _settle(services, making, keyring, fitting.missing)
            crashpoint("restore.written")
    except Damaged as damage:
        yield {"result": outcome(reading, damage)}
    else:
        yield {"result": outcome(reading) | settled}


def _require_keyring(keys: Path) -> None:
    try:
        key_count(keys)
    except StoreFailed:
        raise Unsuitable(f"--keys: {keys} is no file of keys that `rapport backup --keys` has written") from None


def _fetch(folder: Path, manifest: Manifest, making: Path) -> str | None:
    """Copy the files of a backup; what differs from what was written, if anything does."""
    wrong = []
    for name, wanted in manifest.files.items():
        try:
            shutil.copyfile(folder / name, making / name)
        except OSError as error:
            raise Damaged(f"{name} cannot be read: {error}") from error
        wrong.append(files.difference(making / name, wanted))
    return "; ".join(filter(None, wrong)) or None


async def _check(
    log: Path, manifest: Manifest, reading: Reading, fitting: Fitting, wrong: str | None
) -> AsyncIterator[Report]:
    """Read the log also where a file is known to be damaged, to say which event it hits."""
    found = None
    try:
        async for report in checking(reading, log, fitting, manifest.events):
            yield report
    except Damaged as damage:
        found = damage
    behind = reading.chain.head
    if found is None and behind < manifest.head:
        found = Damaged(f"the log ends at position {behind} instead of {manifest.head}", behind + 1)
    if found is not None:
        raise Damaged("; ".join(filter(None, [str(found), wrong])), found.first_bad)
    if wrong is not None:
        raise Damaged(f"{wrong}, outside of all events")
    held = (reading.chain.events, reading.chain.streams, reading.chain.head, reading.checksum, store_id(log))
    if held != (manifest.events, manifest.streams, manifest.head, manifest.checksum, manifest.store):
        raise Damaged(f"the log and {files.MANIFEST} are not of one backup")


async def _settle(
    services: Collection[Service], making: Path, keyring: SqliteKeyring, missing: Collection[str]
) -> Report:
    """Complete what the log demands, and make sure that nobody gets a key that does not fit their past."""
    before = keyring.entries()
    await in_thread(new_identity, making / EVENTS)
    store = SqliteStore(making / EVENTS)
    try:
        for service in services:
            if service.catch_up is not None:
                await service.catch_up(Log(store, keyring, Codec(keyring)))
    finally:
        await store.close()
    gone = keyring.destroyed()
    unreadable = set(missing) - gone
    keyring.give_up(unreadable)
    return {
        "keys": sum(key is not None for key in keyring.entries().values()),
        "destroyed": sum(before.get(subject) is not None for subject in gone),
        "unreadable": len(unreadable),
    }
