"""The keyring of a deployment: one PostgreSQL database of its own, and every process remembers what it read."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Collection
from typing import Final

import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.dialects.postgresql import insert

from shared.errors import SubjectIsErased
from shared.postgres import answering

FRESH_SECONDS: Final = 2.0
"""How long a process may still read with a key that another one has destroyed."""
metadata: Final = sa.MetaData(schema="keyring")
keys: Final = sa.Table(
    "keys",
    metadata,
    sa.Column("subject", sa.String, primary_key=True),
    sa.Column("key", sa.LargeBinary),
)
sa.Index("keys_destroyed", keys.c.subject, postgresql_where=keys.c.key.is_(None))
_CACHED_KEYS: Final = 100_000
_LOCK_SECONDS: Final = 5

_Cache = dict[str, bytes | None]


class PostgresKeyring:
    """Keys by subject, the same for all processes; a destroyed key leaves a marker and is never made anew.

    What was read is remembered, so that an event costs no query. Another process's erasure is seen within
    FRESH_SECONDS; while the database cannot say whether there was one, nothing remembered is used any more.
    A database that is away raises Unreachable, and nothing was stored that needed a key.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        # Every statement stands alone: without BEGIN and COMMIT it is one round trip.
        self._db = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._checking = threading.Lock()
        self._fresh_until = 0.0
        self._destroyed = 0
        # Replaced after an erasure, not emptied: who read before it remembers the key in a dict that nobody looks at.
        self._cache: _Cache = {}

    def key(self, subject: str) -> bytes:
        """The subject's key, made on first use and durable before it is returned; SubjectIsErased after an erasure."""
        cache = self._current()
        try:
            key = cache[subject]
        except KeyError:
            key = self._read(subject, cache, make=True)
        if key is None:
            raise SubjectIsErased(f"{subject} was erased; nothing new can be recorded about it")
        return key

    def find(self, subject: str) -> bytes | None:
        """The subject's key, or None when it is destroyed or was never made."""
        cache = self._current()
        try:
            return cache[subject]
        except KeyError:
            return self._read(subject, cache)

    async def ready(self, subjects: Collection[str], *, make: bool = False) -> None:
        """Have keys at hand, so that the event loop does not wait for the database in `key` and `find`."""
        known = self._cache if time.monotonic() < self._fresh_until else {}
        if any(subject not in known for subject in subjects):
            await asyncio.to_thread(self._fetch, subjects, make=make)

    def destroy(self, subject: str) -> None:
        """Overwrite the key with a marker, and rewrite the table without the old row.

        A plain VACUUM leaves bytes of removed rows in their page. Write-ahead log, its archives and backups hold the
        key until they expire, and a transaction older than this (a running backup) keeps the row until the next call:
        those are the operator's. Unreachable when the table stays in use: the key is gone for readers, ask again.
        """
        marker = insert(keys).values(subject=subject, key=None)
        with answering(), self._db.connect() as connection:
            connection.execute(marker.on_conflict_do_update(index_elements=[keys.c.subject], set_={"key": None}))
            self._cache = {}
            connection.exec_driver_sql(f"SET lock_timeout = '{_LOCK_SECONDS}s'")
            try:
                connection.exec_driver_sql(f"VACUUM (FULL) {keys.fullname}")
            finally:
                connection.exec_driver_sql("RESET lock_timeout")

    def destroyed(self) -> frozenset[str]:
        """Every subject whose key was destroyed."""
        with answering(), self._db.connect() as connection:
            return frozenset(connection.execute(sa.select(keys.c.subject).where(keys.c.key.is_(None))).scalars())

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _current(self) -> _Cache:
        """What is remembered, asking the database every FRESH_SECONDS whether a key was destroyed since."""
        if time.monotonic() < self._fresh_until:
            return self._cache
        with self._checking:
            asked = time.monotonic()
            if asked >= self._fresh_until:
                # Markers are never taken away, so their number tells: any erasure raises it.
                count = sa.select(sa.func.count()).where(keys.c.key.is_(None))
                with answering(), self._db.connect() as connection:
                    destroyed = connection.execute(count).scalar_one()
                if destroyed != self._destroyed:
                    self._cache = {}
                    self._destroyed = destroyed
                self._fresh_until = asked + FRESH_SECONDS
            return self._cache

    def _fetch(self, subjects: Collection[str], *, make: bool) -> None:
        """Remember the keys of some subjects; that one of them was erased is for whoever wants its key to say."""
        cache = self._current()
        for subject in subjects:
            if subject not in cache:
                self._read(subject, cache, make=make)

    def _read(self, subject: str, cache: _Cache, *, make: bool = False) -> bytes | None:
        """The key in the database; `make` inserts one where there is none and no marker, as one of many processes."""
        fresh = insert(keys).values(subject=subject, key=AESGCM.generate_key(bit_length=256))
        with answering(), self._db.connect() as connection:
            if make:
                connection.execute(fresh.on_conflict_do_nothing())
            row = connection.execute(sa.select(keys.c.key).where(keys.c.subject == subject)).one_or_none()
        if row is None:
            return None
        if len(cache) >= _CACHED_KEYS:
            cache.clear()
        key: bytes | None = row.key
        cache[subject] = key
        return key
