"""Proof that the log is whole and that every read model is what a fresh fold of it gives."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from shared.chain import Chain
from shared.codec import Codec
from shared.comparing import checksum
from shared.envelope import Recorded
from shared.projections import ReadModels
from shared.projections.generation import Generation
from shared.projections.parking import SKIPPED, name_of
from shared.projections.progress import STORE, Batch, Mark, Source
from shared.projections.sqlite_home import SqliteHome
from shared.store import EventStore
from shared.stream_reads import StreamReads

_SETTLE_ATTEMPTS: Final = 200


@dataclass(frozen=True)
class Content:
    """What a generation holds at one moment, table by table: how many rows, and a checksum over them in key order."""

    position: int
    marks: Mapping[Source, Mark]
    applied: int
    parked: int
    tables: dict[str, tuple[int, str]]
    skipped: tuple[str, ...] = ()


async def verify(store: EventStore, models: ReadModels, codec: Codec) -> AsyncIterator[dict[str, Any]]:
    """Fold everything afresh beside the read models; yields progress, then one `result`.

    What was skipped by hand is left out of the fresh fold as well, and named: nothing else may differ.
    """
    head = await store.position()
    actual = {}
    for number, generation in enumerate(models.generations):
        actual[generation.family.name] = await _settled(models, generation, head)
        yield _progress("read models", number + 1, len(models.generations))
    chain = Chain(gapless=store.scan(0, 0) is not None)  # positions of a server are places in its own log
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
    reads = StreamReads(store, chain)
    async for done in reads.steps():
        yield _progress("streams", done, chain.streams)
    ok = chain.first_bad is None and reads.difference is None and all(report["equal"] for report in reports)
    yield {
        "result": {
            "events": chain.events,
            "streams": chain.streams,
            "head": chain.head,
            "chain_ok": chain.first_bad is None,
            "first_bad": chain.first_bad,
            "streams_ok": reads.difference is None,
            "bad_stream": reads.difference,
            "projections": reports,
            "ok": ok,
        }
    }


def content(generation: Generation) -> Content | None:
    """What a generation holds now; None while its derived tables are behind its sums."""
    with generation.read() as snapshot:
        if not snapshot.settled:
            return None
        tables = {table.name: checksum(snapshot, table) for table in generation.family.tables}
        skipped = tuple(map(name_of, snapshot.execute(SKIPPED)))
        return Content(snapshot.position, snapshot.marks, snapshot.applied, snapshot.parked, tables, skipped)


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
        found, types = actual[generation.family.name], generation.family.types
        skipped = set(found.skipped)
        mine = [e for e in events if e.type in types and models.applied(found.marks, e)]
        mine = [e for e in mine if str(e.position) not in skipped] if skipped else mine
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
            "skipped": list(actual.skipped),
            "rows": actual.tables[name][0],
            "equal": same and expected.tables[name] == actual.tables[name],
        }
        for name in actual.tables
    ]


def _progress(what: str, done: int, total: int) -> dict[str, Any]:
    return {"progress": {"what": what, "done": done, "total": total}}
