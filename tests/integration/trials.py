"""A family over the events of the kit: sums and documents of two topics, and what is derived of them."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.codec import Codec
from shared.envelope import Recorded
from shared.events import Event
from shared.keyring import SqliteKeyring
from shared.projections import Derived, Document, Family, Rows, Subject, Sum, Whole, f
from shared.projections.generation import Generation
from shared.projections.progress import Batch
from shared.projections.sqlite_home import SqlitePlace
from shared.sqlite_store import SqliteStore
from shared.verify import content


class TrialHeld(Event, type="crm.trials.TrialHeld"):
    number: int


class TrialHeldElsewhere(Event, type="crm.elsewhere.TrialHeld"):
    number: int


totals = Sum("trial_totals", key=(Subject("customer"),), adds=("here", "elsewhere", "total"))
totals.on(TrialHeld, here=+1, total=+f.number)
totals.on(TrialHeldElsewhere, elsewhere=+1, total=-f.number)


@dataclass(frozen=True)
class LastTrial:
    numbers: tuple[int, ...] = ()


last = Document("last_trials", LastTrial, key=Subject("customer"))


@last.on(TrialHeld)
def _(row: LastTrial, event: TrialHeld, at: Recorded) -> LastTrial:
    return LastTrial((*row.numbers[-4:], event.number))


counts = Derived("trial_counts", of=(totals,), by="customer", key=(Whole("trials"),), adds=("customers",))


@counts.group
def _(customer: str, rows: Rows) -> Iterable[tuple[Any, ...]]:
    for (trials,), customers in Counter((row.here,) for row in rows[totals]).items():
        yield trials, customers


family = Family("trials", version=1, tables=(totals, last, counts))


def opened(folder: Path, name: str = "fed-by-kafka.db") -> Generation:
    return Generation(family, 1, SqlitePlace(folder / name), Codec(SqliteKeyring(folder / "keyring.db")))


async def fed_from(store: SqliteStore, folder: Path) -> Any:
    """The tables as they come out when the store is followed."""
    generation = opened(folder, "fed-by-store.db")
    async for page in store.pages(0):
        await asyncio.to_thread(generation.apply, [Batch("", 0, page.events, page.position, 0)])
    generation.refresh()
    found = content(generation)
    generation.close()
    assert found is not None
    return found


def tables(generation: Generation) -> Any:
    """The tables as they are now, None while something is being refreshed."""
    found = content(generation)
    return found.tables if found else None
