"""How far every read model is behind the log."""

from __future__ import annotations

import asyncio
from typing import Any

from shared.service import Platform
from shared.web.freshness import seconds_behind


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
                "status": here.models.status(generation),
                "position": position,
                "head": head,
                "lag_events": lag.events,
                "approximate": lag.approximate,
                "lag_seconds": round(await seconds_behind(here, position), 3),
                "parked": await asyncio.to_thread(generation.parked_count),
            }
        )
    return entries
