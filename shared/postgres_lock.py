"""Being the only process that does something, by a lock that PostgreSQL frees when its holder is gone."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg
from psycopg.conninfo import make_conninfo

from shared.postgres import CONNECTION, lock_key

_EVERY: Final = 1.0
_PATIENCE: Final = 3.0
"""Seconds within which the server must answer."""
_log = logging.getLogger(__name__)


@asynccontextmanager
async def leadership(url: str, name: str) -> AsyncIterator[asyncio.Event]:
    """Wait, for ever if need be, until this process alone holds `name`; the event is set when that is over.

    The lock lives as long as one connection. Its loss shows after some seconds, and another may hold the lock by
    then: what must not happen twice needs a fence of its own. `url` must lead to the server itself, because a pooler
    that lends the connection to others lends the lock with it.
    """
    connection = await _held(url, name)
    lost = asyncio.Event()
    watching = asyncio.create_task(_watch(connection, name, lost))
    try:
        yield lost
    finally:
        watching.cancel()
        await asyncio.wait([watching])
        await connection.close()


async def _held(url: str, name: str) -> psycopg.AsyncConnection[Any]:
    """A connection that holds the lock."""
    warned = False
    while True:
        try:
            return await _waited_for(url, name)
        except psycopg.Error as error:
            if not warned:
                _log.warning("cannot ask for the lock %s, and goes on trying: %s", name, error)
            warned = True
        await asyncio.sleep(_EVERY)


async def _waited_for(url: str, name: str) -> psycopg.AsyncConnection[Any]:
    address = make_conninfo(url, **CONNECTION, application_name=f"rapport {name}")
    connection = await psycopg.AsyncConnection.connect(address, autocommit=True)
    try:
        # Asked again and again: a backend that waits for a lock does not notice that its client is gone.
        query = f"SELECT pg_try_advisory_lock({lock_key(name)})"
        while not await _answer(connection, query):  # noqa: ASYNC110, it is held by another process
            await asyncio.sleep(_EVERY)
    except BaseException:
        await connection.close()
        raise
    return connection


async def _watch(connection: psycopg.AsyncConnection[Any], name: str, lost: asyncio.Event) -> None:
    """Set the event when the connection no longer answers."""
    try:
        while True:
            await asyncio.sleep(_EVERY)
            await _answer(connection, "SELECT 1")
    except psycopg.Error as error:
        _log.warning("lost the lock %s: %s", name, error)
        lost.set()


async def _answer(connection: psycopg.AsyncConnection[Any], query: str) -> Any:
    """The one value that a query gives; OperationalError when it does not come in time."""
    asked = asyncio.ensure_future(_scalar(connection, query))
    try:
        await asyncio.wait([asked], timeout=_PATIENCE)
    finally:
        if not asked.done():
            # Cancelled, psycopg would ask the server to cancel, and wait for an answer that a stuck one never gives.
            _hang_up(connection)
            await asyncio.gather(asked, return_exceptions=True)
    return await asked


async def _scalar(connection: psycopg.AsyncConnection[Any], query: str) -> Any:
    row = await (await connection.execute(query.encode())).fetchone()
    return row[0] if row else None


def _hang_up(connection: psycopg.AsyncConnection[Any]) -> None:
    with socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
