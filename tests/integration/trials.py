"""A family over the events of the kit: sums and documents of two topics, and what is derived of them."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from topics_kit import until

from shared.codec import Codec
from shared.envelope import Recorded
from shared.events import Event
from shared.keyring import SqliteKeyring
from shared.postgres import engine
from shared.projections import Derived, Document, Family, Rows, Subject, Sum, Whole, f
from shared.projections.generation import Generation
from shared.projections.postgres_home import PostgresHome
from shared.projections.progress import Batch
from shared.projections.sqlite_home import SqlitePlace
from shared.store import EventStore
from shared.verify import Content, content


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


def opened(folder: Path, name: str = "fed-by-kafka.db", family: Family = family) -> Generation:
    return Generation(family, 1, SqlitePlace(folder / name), Codec(SqliteKeyring(folder / "keyring.db")))


def in_database(folder: Path, database: str, family: Family = family) -> Generation:
    """One member's hold on the generation that all share; its keyring is its own, no event here needs one."""
    folder.mkdir(exist_ok=True)
    place = PostgresHome(engine(database)).place(family.name)
    return Generation(family, 1, place, Codec(SqliteKeyring(folder / "keyring.db")))


async def fed_from(
    store: EventStore, folder: Path, family: Family = family, without: Collection[bytes] = ()
) -> Content:
    """The tables as they come out when the store is followed, all events but some."""
    generation = opened(folder, f"fed-by-store-{uuid4().hex}.db", family)
    async for page in store.pages(0):
        events = [event for event in page.events if event.id not in without]
        await asyncio.to_thread(generation.apply, [Batch("", 0, events, page.position, 0)])
    generation.refresh()
    found = content(generation)
    generation.close()
    assert found is not None
    return found


async def equal(generation: Generation, expected: Content, parked: int = 0) -> None:
    """Wait until tables and counts are as expected; they never become so when an event is lost or applied twice."""
    wanted = expected.tables, expected.applied, parked
    try:
        await until(lambda: state(generation) == wanted)
    except TimeoutError:
        assert state(generation) == wanted


def state(generation: Generation) -> tuple[Any, int, int] | None:
    """Tables, events applied and events parked; None while something is being refreshed."""
    found = content(generation)
    return (found.tables, found.applied, found.parked) if found else None


def tables(generation: Generation) -> Any:
    """The tables as they are now, None while something is being refreshed."""
    found = content(generation)
    return found.tables if found else None
