"""Waiting until the read models have what was just written."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Any

from services.commands.client import Client
from services.commands.failure import UNREACHABLE, Failure, Problem
from services.commands.progress import Report

SLICE_SECONDS = 2
"""How long one request waits on the server."""
STUCK_SECONDS = 600.0
"""Without any progress for this long, the command gives up waiting. Derived tables of a long import are one step."""
_PAUSE_SECONDS = 0.05


async def catch_up(client: Client, token: str | None, report: Report) -> None:
    """Returns when every projection has the last event that the log holds now.

    `token` is the position of a recent write: the server holds each request until that is reached.

    Raises:
        Failure: When nothing moves for ten minutes; what was written is safe.
    """
    families = await client.get("/api/v1/projections")
    head = max((family["head"] for family in families), default=0)
    total = _behind(families, head)
    report.phase("projections", total, "events")
    moved = time.monotonic()
    while (behind := _behind(families, head)) > 0:
        report.at(max(0, total - behind))
        before = _places(families)
        waited = await _wait(client, token)
        families = waited or await client.get("/api/v1/projections")
        if _places(families) != before:
            moved = time.monotonic()
        elif time.monotonic() - moved > STUCK_SECONDS:
            raise Failure(_stuck(families, head), UNREACHABLE)
        elif waited:
            await asyncio.sleep(_PAUSE_SECONDS)
    report.at(total)


async def _wait(client: Client, token: str | None) -> list[dict[str, Any]]:
    """The projections once they have `token`, or [] when that takes longer than a slice."""
    try:
        return list(await client.get("/api/v1/projections", after=token, wait=SLICE_SECONDS))
    except Problem as problem:
        if problem.status != HTTPStatus.GATEWAY_TIMEOUT:
            raise
        return []


def _places(families: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return [(family["position"], family["lag_events"]) for family in families]


def _behind(families: list[dict[str, Any]], head: int) -> int:
    """How many events the projection furthest behind the head has to go; positions may be no count of events."""
    return max((int(family["lag_events"]) for family in families if family["position"] < head), default=0)


def _stuck(families: list[dict[str, Any]], head: int) -> str:
    late = ", ".join(f"{family['family']} at {family['position']}" for family in families if family["lag_events"])
    return f"everything is stored, but projections do not move: {late}, the log is at {head}"
