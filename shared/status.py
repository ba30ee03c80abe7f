"""How far every read model is behind the log."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any, Final

from shared.projections.catalog import Entry, Status
from shared.service import Platform
from shared.threads import in_thread
from shared.web.freshness import seconds_behind

READY: Final = "ready"
"""What a generation is that is being built and has all there is."""


async def projections(here: Platform) -> list[dict[str, Any]]:
    """One entry per active family, in the shape of `rapport projections status --json`."""
    head = await here.log.store.position()
    entries = []
    for generation in here.models.generations:
        position = min(await asyncio.to_thread(here.models.position, generation.family), head)
        lag = await asyncio.to_thread(here.models.lag, generation.family, head)
        entries.append(
            {
                "family": generation.family.name,
                "version": generation.family.version,
                "generation": generation.number,
                "status": Status.ACTIVE,
                "position": position,
                "head": head,
                "lag_events": lag.events,
                "approximate": lag.approximate,
                "lag_seconds": round(await seconds_behind(here, position), 3),
                "parked": await asyncio.to_thread(generation.parked_count),
            }
        )
    return entries


async def generations(here: Platform) -> list[dict[str, Any]]:
    """One entry per generation, in the shape of `rapport replay status --json`."""
    return [await generation(here, entry) for entry in await in_thread(here.models.entries)]


async def generation(here: Platform, entry: Entry, *, counted: bool = False) -> dict[str, Any]:
    """How far one generation is; `counted` with the rows of each table, which takes a while where there are many."""
    head = await here.log.store.position()
    fed = here.feeding.of(entry)
    position, applied, rows = await in_thread(_held, here, entry, counted)
    reached = max(position, fed.reached) if fed else position
    target = head if entry.wish.until is None else entry.wish.until
    rate = fed.rate if fed else 0.0
    built = position >= target  # what was folded is not built until it is written
    return {
        "family": entry.family,
        "version": entry.version,
        "generation": entry.generation,
        "status": READY if built and entry.status == Status.BUILDING else entry.status,
        "position": min(reached, target),
        "target": target,
        "applied": applied,
        "rows": rows,
        "rate": round(rate, 1),
        "eta_seconds": 0.0 if built else round(max(1, target - reached) / rate, 1) if rate > 0 else None,
        "failing": fed and (fed.ended or fed.feeder.failing),
        "error": entry.error,
        "made_at": entry.made_at,
        **asdict(entry.wish),
    }


def _held(here: Platform, entry: Entry, counted: bool) -> tuple[int, int, dict[str, int] | None]:
    if entry.status == Status.DROPPED:
        return 0, 0, None
    tables = here.models.families[entry.family].tables if counted else ()
    with here.models.open(entry).read() as snapshot:
        rows = {table.name: snapshot.rows(table) for table in tables}
        return here.models.position_of(entry), snapshot.applied, rows if counted else None
