"""What a backup consists of: files, and a manifest that says what is in them and would show if a byte had changed."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from shared.errors import RapportError

EVENTS: Final = "events.db"
ACCOUNTS: Final = "accounts.db"
KEYRING: Final = "keyring.db"
MANIFEST: Final = "manifest.json"
FORMAT: Final = 1
_BLOCK: Final = 1 << 20
"""Bytes. A changed byte is told within so many."""


class Unsuitable(RapportError):
    """What was named cannot be used for this; nothing was touched."""


class Damaged(RapportError):
    """What was read is not what was written; `first_bad` is the position of the first event that is touched."""

    def __init__(self, message: str, first_bad: int | None = None) -> None:
        super().__init__(message)
        self.first_bad = first_bad


class File(msgspec.Struct, frozen=True):
    """A file of a backup: its size, and SHA-256 over each MiB of it."""

    size: int
    sha256: list[str]


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds. `checksum` is SHA-256 over the hashes of all events in order."""

    format: int
    rapport: str
    made_at: str
    store: str
    events: int
    streams: int
    head: int
    checksum: str
    files: dict[str, File]


class _Sealed(msgspec.Struct, frozen=True):
    manifest: Manifest
    sha256: str


def write(manifest: Manifest, folder: Path) -> None:
    """Put the manifest into a backup, together with a checksum of its own."""
    sealed = _Sealed(manifest, _seal(manifest))
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(sealed), indent=1))


def read(folder: Path) -> Manifest:
    """The manifest of a backup.

    Raises:
        Unsuitable: there is no backup, or one that a later release has made.
        Damaged: the manifest is not as it was written.
    """
    try:
        content = (folder / MANIFEST).read_bytes()
    except OSError:
        raise Unsuitable(f"{folder} is not a backup: it has no {MANIFEST}") from None
    try:
        sealed = msgspec.json.decode(content, type=_Sealed)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Damaged(f"{MANIFEST} cannot be read: {error}") from None
    if sealed.sha256 != _seal(sealed.manifest):
        raise Damaged(f"{MANIFEST} is not as it was written")
    if sealed.manifest.format > FORMAT:
        raise Unsuitable(f"{folder} was made by Rapport {sealed.manifest.rapport}: restore it with that release")
    return sealed.manifest


def described(path: Path) -> File:
    """A file as it is now."""
    with path.open("rb") as file:
        digests = [hashlib.sha256(block).hexdigest() for block in iter(lambda: file.read(_BLOCK), b"")]
    return File(path.stat().st_size, digests)


def difference(path: Path, wanted: File) -> str | None:
    """Where a file differs from what it should be, None where it does not."""
    found = described(path)
    for number, (ours, theirs) in enumerate(zip(found.sha256, wanted.sha256, strict=False)):
        if ours != theirs:
            return f"{path.name} is damaged between byte {number * _BLOCK} and {min((number + 1) * _BLOCK, found.size)}"
    if found.size != wanted.size:
        return f"{path.name} has {found.size} bytes instead of {wanted.size}"
    return None


def require_new(folder: Path) -> None:
    """Refuse a folder that holds anything.

    Raises:
        Unsuitable: it does, or it is a file.
    """
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists():
        raise Unsuitable(f"{folder} is there already and not empty: name a new folder")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill under another name; when the block ends it is made durable, and only then takes the name.

    One that a crash leaves is called `.NAME.partial-…`, so that nobody takes it for whole.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.parent))
    try:
        yield making
        for path in making.iterdir():
            path.chmod(0o600)
            sync(path)
        sync(making)
        making.rename(folder)  # onto nothing or an empty folder; anything else fails
        sync(folder.parent)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise


@contextmanager
def new_file(path: Path | None) -> Iterator[Path | None]:
    """A file in the same manner, which only its owner can read; None if there is to be none."""
    if path is None:
        yield None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.partial-", dir=path.parent)
    os.close(handle)
    making = Path(name)
    try:
        yield making
        sync(making)
        making.rename(path)
        sync(path.parent)
    except BaseException:
        making.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Have a file or a folder's list of files on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _seal(manifest: Manifest) -> str:
    return hashlib.sha256(msgspec.json.encode(manifest)).hexdigest()
