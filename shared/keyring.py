"""One key per subject: what makes personal data readable, and forgettable.

The keyring is infrastructure like the store, but apart from it: it is backed up apart and briefly, because a key
that survives in a backup survives its erasure.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import threading
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import SubjectIsErased, UnreadableEvent
from shared.events import ERASED
from shared.sqlite_files import open_durable

SEALED: Final = "enc.v1."
_NONCE_BYTES: Final = 12
_CACHED_KEYS: Final = 100_000


class Keyring(Protocol):
    """Keys by subject. A destroyed key leaves a marker and is never made anew."""

    def key(self, subject: str) -> bytes:
        """The subject's key, made on first use; SubjectIsErased after an erasure."""

    def find(self, subject: str) -> bytes | None:
        """The subject's key, or None when it is destroyed or was never made."""

    async def ready(self, subjects: Collection[str], *, make: bool = False) -> None:
        """Have keys at hand for `find`, and with `make` for `key`: neither must keep the event loop waiting."""

    def destroy(self, subject: str) -> None:
        """Forget the key for ever; a second time is no error."""

    def destroyed(self) -> frozenset[str]:
        """Every subject whose key was destroyed."""


class SqliteKeyring:
    """The embedded keyring: its own SQLite file, durable before the key is first used.

    Only the process that destroys keys remembers what it read; in another one a key would outlive its erasure.
    """

    def __init__(self, path: Path, *, remembers: bool = True) -> None:
        self._path = path
        self._remembers = remembers
        self._lock = threading.Lock()
        self._cache: dict[str, bytes] = {}
        self._db = open_durable(path)
        self._db.execute("CREATE TABLE IF NOT EXISTS keys(subject TEXT PRIMARY KEY, key BLOB) WITHOUT ROWID")
        path.chmod(0o600)

    def __reduce__(self) -> tuple[Callable[[Path], SqliteKeyring], tuple[Path]]:
        """Another process opens the file itself."""
        return partial(SqliteKeyring, remembers=False), (self._path,)

    def key(self, subject: str) -> bytes:
        """The subject's key, made on first use."""
        cached = self._cache.get(subject)
        if cached is not None:
            return cached
        with self._lock:
            fresh = AESGCM.generate_key(bit_length=256)
            self._db.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", (subject, fresh))
            key = self._read(subject)
        if key is None:
            raise SubjectIsErased(f"{subject} was erased; nothing new can be recorded about it")
        return key

    def find(self, subject: str) -> bytes | None:
        """The subject's key, or None when it is destroyed or was never made."""
        cached = self._cache.get(subject)
        if cached is not None:
            return cached
        with self._lock:
            return self._read(subject)

    async def ready(self, subjects: Collection[str], *, make: bool = False) -> None:
        """Have new keys durable together; a look into the file takes no time worth a thread."""
        if not make:
            return
        fresh = [(subject, AESGCM.generate_key(bit_length=256)) for subject in subjects if subject not in self._cache]
        if len(fresh) > 1:
            # one fsync for all: one by one, they were half of what registering customers takes
            with self._lock, self._db:
                self._db.executemany("INSERT OR IGNORE INTO keys VALUES (?, ?)", fresh)

    def destroy(self, subject: str) -> None:
        """Overwrite the key with a marker."""
        with self._lock:
            self._cache.pop(subject, None)
            self._db.execute(
                "INSERT INTO keys VALUES (?, NULL) ON CONFLICT(subject) DO UPDATE SET key = NULL", (subject,)
            )
            # the old page may still stand in the log: fold it into the file, where secure_delete has zeroed it
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def give_up(self, subjects: Collection[str]) -> None:
        """Mark subjects whose keys are lost, so that none gets another: it would not open what stands in the log."""
        with self._lock, self._db:
            self._db.executemany("INSERT OR IGNORE INTO keys VALUES (?, NULL)", [(subject,) for subject in subjects])

    def destroyed(self) -> frozenset[str]:
        """Every subject whose key was destroyed."""
        with self._lock:
            return frozenset(subject for (subject,) in self._db.execute("SELECT subject FROM keys WHERE key IS NULL"))

    def entries(self) -> Mapping[str, bytes | None]:
        """Every subject's key, None where it is destroyed."""
        with self._lock:
            return dict(self._db.execute("SELECT subject, key FROM keys"))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _read(self, subject: str) -> bytes | None:
        row = self._db.execute("SELECT key FROM keys WHERE subject = ?", (subject,)).fetchone()
        key: bytes | None = row[0] if row else None
        if key is not None and self._remembers:
            if len(self._cache) >= _CACHED_KEYS:
                self._cache.clear()
            self._cache[subject] = key
        return key


def seal(key: bytes, text: str, *, event_id: bytes, field: str) -> str:
    """Encrypt one personal field; the event id and the field's name are authenticated with it."""
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, text.encode(), _bound_to(event_id, field))
    return SEALED + base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()


def unseal(key: bytes | None, stored: str, *, event_id: bytes, field: str) -> str:
    """Read one personal field: its text, or ERASED when the key is gone."""
    if not stored.startswith(SEALED):
        raise UnreadableEvent(f"{field} is marked personal but is not encrypted")
    if key is None:
        return ERASED
    packed = stored.removeprefix(SEALED)
    raw = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
    try:
        return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound_to(event_id, field)).decode()
    except InvalidTag:
        raise UnreadableEvent(f"{field} does not decrypt with its subject's key") from None


def fingerprint(key: bytes, content: bytes) -> str:
    """A keyed hash of a command: recognises a repetition, tells nothing once the key is gone."""
    return hmac.new(key, content, hashlib.sha256).hexdigest()


def _bound_to(event_id: bytes, field: str) -> bytes:
    return event_id + field.encode()
