"""Taking customers over from another system, so that repeating an import changes nothing."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID, uuid5

from services.contacts.customer import ImportCustomer, OutsideCustomer, customer
from shared import ids
from shared.decider import Context, Log, Outcome, handle
from shared.errors import Conflict, Refused, Reused, SubjectIsErased, TooLarge

_DETAILS = ("kind", "name", "country", "email", "phone")


@dataclass(frozen=True)
class Result:
    """What became of one customer: how many events it led to, or why it was rejected."""

    status: Literal["accepted", "unchanged", "rejected"]
    events: int = 0
    reason: str | None = None
    outcome: Outcome | None = None


async def take_over(log: Log, source: str, given: Sequence[OutsideCustomer], context: Context) -> list[Result]:
    """Import customers of one source: a result each, in the same order. One customer twice is taken one by one."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for number, each in enumerate(given):
        numbers[each.outside_id].append(number)
    results: dict[int, Result] = {}

    async def take(mine: Sequence[int]) -> None:
        for number in mine:
            results[number] = await _take_one(log, source, given[number], context)

    # Made together, their keys are durable at one go.
    await log.keyring.ready({f"customer-{_id(source, each)}" for each in given}, make=True)
    async with asyncio.TaskGroup() as group:
        for mine in numbers.values():
            group.create_task(take(mine))
    return [results[number] for number in range(len(given))]


async def _take_one(log: Log, source: str, given: OutsideCustomer, context: Context) -> Result:
    id_ = _id(source, given)
    command = ImportCustomer(customer_id=id_, source=source, **dict(given))
    asked = replace(context, command_id=command_id(id_, given))
    try:
        # What was imported before the erasure must not be answered as unchanged: the person is not there.
        log.keyring.key(f"customer-{id_}")
        outcome = await handle(log, customer, id_, command, context=asked)
    except Reused:
        return Result("rejected", reason="already imported with other content")
    except Refused as refusal:
        return Result("rejected", reason=f"{refusal.field}: {refusal.message}" if refusal.field else refusal.message)
    except SubjectIsErased:
        return Result("rejected", reason="the person was erased; nothing new is recorded about them")
    except (Conflict, TooLarge) as error:
        return Result("rejected", reason=str(error))
    if outcome.found or not outcome.events:
        return Result("unchanged", outcome=outcome)
    return Result("accepted", len(outcome.events), outcome=outcome)


def _id(source: str, given: OutsideCustomer) -> UUID:
    return ids.imported("customer", source, given.outside_id)


def command_id(customer_id: UUID, given: OutsideCustomer) -> UUID:
    """The id of an import: the same whoever runs it.

    An order file makes customers known by their alias; a customer file may name them before or after that. So to be
    known, to be described and to be named are three commands, and only the same one with other content is refused.
    """
    if all(getattr(given, detail) is None for detail in _DETAILS):
        return uuid5(ids.NS, str(customer_id))
    return uuid5(ids.NS, f"{customer_id}/{'described' if given.name is None else 'named'}")
