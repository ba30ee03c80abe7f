"""Ids that come out the same whoever computes them."""

from __future__ import annotations

from uuid import UUID, uuid5

NS = UUID("6f1d7c52-6a0c-5f0e-9a6b-3c1f0d5e8b77")
"""Our namespace: a constant for ever, every imported id hangs on it."""


def imported(kind: str, source: str, outside_id: str) -> UUID:
    """The id of a thing that another system already numbers, e.g. `imported("order", "online-retail", "489434")`."""
    return uuid5(NS, f"{kind}/{source}/{outside_id}")


def created(command_id: UUID, kind: str) -> UUID:
    """The id of the thing that a command creates: the same command creates the same thing."""
    return uuid5(command_id, kind)
