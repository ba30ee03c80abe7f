"""Parked events of all families: what waits, since when and why, and what an operator does about it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, NoReturn

import msgspec

from shared.clock import Clock, stamp, utc_now
from shared.codec import MASKED
from shared.envelope import as_json
from shared.errors import Refused, UnreadableEvent
from shared.events import event_class
from shared.health import Probe
from shared.keyring import SEALED
from shared.projections import Family, ReadModels, parking
from shared.projections.generation import Generation
from shared.projections.parking import Row
from shared.service import Platform

ALARM: Final = "parked events"
"""The need that is not met when something has been parked for too long."""
_LONGEST: Final = timedelta(minutes=15)

Entry = dict[str, Any]
"""A parked event in the shape of `rapport parked list --json`; `name` is how it is asked for."""


async def listed(here: Platform) -> list[Entry]:
    """What is parked, family by family, each in the order it waits."""

    def entries() -> list[Entry]:
        return [entry for generation in here.models.generations for entry in _told(generation)]

    return await asyncio.to_thread(entries)


async def shown(here: Platform, family: str, name: str) -> Entry:
    """One parked event with what it says, personal fields masked, and what waits behind it.

    Raises:
        Refused: there is no such family, or this is not parked.
    """
    generation = _generation(here, family)

    def entry() -> Entry:
        row = generation.unparking.found(name)
        others = [other for other in _told(generation, row.subject) if other["name"] != name]
        return {
            **_entry(family, row),
            "event": _event(row),
            "bytes": len(row.data),
            "before": [other for other in others if (other["position"] or 0) < row.position],
            "waiting": [other for other in others if (other["position"] or 0) >= row.position],
        }

    return await asyncio.to_thread(entry)


async def retry(here: Platform, actor: str, family: str, subject: str) -> dict[str, Any]:
    """Apply what is parked of a subject, in order; how many events that were, and those that go on waiting.

    Raises:
        Refused: there is no such family, or nothing of the subject is parked in it.
    """
    generation = _generation(here, family)

    def retried() -> dict[str, Any]:
        if not generation.unparking.told(subject):
            raise Refused(f"nothing of it is parked in {family}", field="subject", kind="missing")
        here.accounts.note(actor, "parked events retried", f"{family} {subject}")
        applied = generation.unparking.retry(subject)
        return {"family": family, "subject": subject, "applied": applied, "waiting": _told(generation, subject)}

    done = await asyncio.to_thread(retried)
    here.models.moved()
    return done


async def skip(here: Platform, actor: str, family: str, name: str, reason: str) -> dict[str, Any]:
    """Give up one parked event for good; those of its subject that go on waiting.

    Raises:
        Refused: there is no such family, this is not parked, or it was never tried.
    """
    generation = _generation(here, family)

    def skipped() -> dict[str, Any]:
        subject = generation.unparking.skip(name, actor=actor, reason=reason)
        here.accounts.note(actor, "parked event skipped", f"{family} {name} of {subject}: {reason}")
        return {"family": family, "name": name, "subject": subject, "waiting": _told(generation, subject)}

    return await asyncio.to_thread(skipped)


def overdue(models: ReadModels, families: Sequence[Family], clock: Clock = utc_now) -> Probe:
    """The probe that sounds when something has been parked for more than 15 minutes."""

    def waiting() -> list[str]:
        before = stamp(clock() - _LONGEST)
        counts = [(family.name, models.active(family).unparking.since_before(before)) for family in families]
        return [f"{name} {count}" for name, count in counts if count]

    async def probe() -> str | None:
        some = await asyncio.to_thread(waiting)
        return f"wait for more than 15 minutes: {', '.join(some)}" if some else None

    return probe


def _generation(here: Platform, family: str) -> Generation:
    families = here.models.families
    if family not in families:
        raise Refused(f"must be one of {', '.join(sorted(families))}", field="family", kind="missing")
    return here.models.active(families[family])


def _told(generation: Generation, subject: str | None = None) -> list[Entry]:
    return [_entry(generation.family.name, row) for row in generation.unparking.told(subject)]


def _entry(family: str, row: Row) -> Entry:
    return {
        "projection": family,
        "family": family,
        "subject": row.subject,
        "position": row.position or None,
        "name": parking.name_of(row),
        "type": row.type or None,
        "reason": row.reason,
        "category": row.category,
        "attempts": row.attempts,
        "first_at": row.first_at,
        "retriable": parking.is_event(row),
    }


def _event(row: Row) -> dict[str, Any] | None:
    """The event in its public shape; None where there is none, or nobody can tell its personal fields from others."""
    if not parking.is_event(row):
        return None
    try:
        personal = event_class(row.type).personal
        data = json.loads(row.data, parse_constant=_refuse)
        json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair is JSON, but no text
        return as_json(parking.event_of(row), {name: _masked(name, value, personal) for name, value in data.items()})
    except (UnreadableEvent, ValueError, AttributeError, RecursionError, msgspec.MsgspecError):
        return None


def _masked(name: str, value: Any, personal: Any) -> Any:
    sealed = isinstance(value, str) and value.startswith(SEALED)
    return MASKED if sealed or (name in personal and value is not None) else value


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)
