"""Proof that the log is whole and that every read model is what a fresh fold of it gives."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from shared.codec import Codec
from shared.envelope import FIRST_HASH, Recorded, chained
from shared.projections import ReadModels, Snapshot
from shared.projections.generation import Generation
from shared.projections.progress import STORE, Batch, Mark, Source
from shared.projections.sqlite_home import SqliteHome
from shared.projections.tables import Document, Table
from shared.store import EventStore

_SETTLE_ATTEMPTS: Final = 200


@dataclass
class Chain:
    """Checks positions, versions and chained hashes. Keeps 50-odd bytes a stream: its version and last hash."""

    events: int = 0
    head: int = 0
    first_bad: int | None = None
    _ends: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    @property
    def streams(self) -> int:
        """How many streams there are."""
        return len(self._ends)

    def check(self, event: Recorded) -> None:
        """Take the next event of the log."""
        version, previous = self._ends.get(event.stream, (-1, FIRST_HASH))
        follows = event.position > self.head and event.version == version + 1
        if not (follows and _sound(event, previous)) and self.first_bad is None:
            self.first_bad = event.position
        self.events += 1
        self.head = event.position
        self._ends[event.stream] = (event.version, event.hash)


def _sound(event: Recorded, previous: bytes) -> bool:
    try:
        return (
            event.hash == chained(previous, event.stream, event.version, event) and event.meta.subject == event.subject
        )
    except Exception:  # noqa: BLE001, whatever was done to the bytes, they are not what was stored
        return False


@dataclass(frozen=True)
class Content:
    """What a generation holds at one moment, table by table: how many rows, and a checksum over them in key order."""

    position: int
    marks: Mapping[Source, Mark]
    applied: int
    parked: int
    tables: dict[str, tuple[int, str]]


async def verify(store: EventStore, models: ReadModels, codec: Codec) -> AsyncIterator[dict[str, Any]]:
    """Fold everything afresh beside the read models; yields progress, then one `result`."""
    head = await store.position()
    actual = {}
    for number, generation in enumerate(models.generations):
        actual[generation.family.name] = await _settled(models, generation, head)
        yield _progress("read models", number + 1, len(models.generations))
    chain = Chain()
    with tempfile.TemporaryDirectory(prefix="rapport-verify-") as folder:
        home = SqliteHome(Path(folder))
        fresh = [Generation(g.family, 0, home.place(g.family.name), codec) for g in models.generations]
        try:
            async for page in store.pages(0):
                await asyncio.to_thread(_take, models, page.events, chain, fresh, actual)
                yield _progress("events", min(page.position, head), head)
            reports = []
            for generation in fresh:
                await asyncio.to_thread(generation.refresh)
                reports += await asyncio.to_thread(_compare, generation, actual[generation.family.name])
        finally:
            for generation in fresh:
                generation.close()
    ok = chain.first_bad is None and all(report["equal"] for report in reports)
    yield {
        "result": {
            "events": chain.events,
            "streams": chain.streams,
            "head": chain.head,
            "chain_ok": chain.first_bad is None,
            "first_bad": chain.first_bad,
            "projections": reports,
            "ok": ok,
        }
    }


def content(generation: Generation) -> Content | None:
    """What a generation holds now; None while its derived tables are behind its sums."""
    with generation.read() as snapshot:
        if not snapshot.settled:
            return None
        tables = {table.name: _checksum(snapshot, table) for table in generation.family.tables}
        return Content(snapshot.position, snapshot.marks, snapshot.applied, snapshot.parked, tables)


async def _settled(models: ReadModels, generation: Generation, head: int) -> Content:
    await models.reached(generation.family, head, wait=600)
    for _ in range(_SETTLE_ATTEMPTS):
        found = await asyncio.to_thread(content, generation)
        if found is not None:
            # with watermarks by partition the lowest may be that of one where nothing ever happened
            return replace(found, position=max(found.position, head))
        await models.progress(1.0)
    raise TimeoutError(f"{generation.family.name} does not settle: its derived tables stay behind")


def _take(
    models: ReadModels, events: list[Recorded], chain: Chain, fresh: list[Generation], actual: dict[str, Content]
) -> None:
    for event in events:
        chain.check(event)
    for generation in fresh:
        marks, types = actual[generation.family.name].marks, generation.family.types
        mine = [e for e in events if e.type in types and models.applied(marks, e)]
        if mine:
            generation.apply([Batch(*STORE, mine, mine[-1].position, 0)])


def _compare(fresh: Generation, actual: Content) -> list[dict[str, Any]]:
    expected = content(fresh)
    if expected is None:
        raise RuntimeError(f"{fresh.family.name} was not refreshed")
    same = expected.applied == actual.applied and expected.parked == actual.parked
    return [
        {
            "name": name,
            "family": fresh.family.name,
            "position": actual.position,
            "applied": actual.applied,
            "parked": actual.parked,
            "rows": actual.tables[name][0],
            "equal": same and expected.tables[name] == actual.tables[name],
        }
        for name in actual.tables
    ]


def _checksum(snapshot: Snapshot, table: Table) -> tuple[int, str]:
    columns = list(table.c.columns.values())
    key = 1 if isinstance(table, Document) else len(table.key)
    digest = hashlib.sha256()
    rows = 0
    for row in snapshot.execute(sa.select(*columns).order_by(*columns[:key])):
        digest.update(repr(tuple(row)).encode())
        rows += 1
    return rows, digest.hexdigest()


def _progress(what: str, done: int, total: int) -> dict[str, Any]:
    return {"progress": {"what": what, "done": done, "total": total}}
