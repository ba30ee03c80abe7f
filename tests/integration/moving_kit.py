"""A folder to move, filled by the services' own commands, and what can be seen of it before and after."""

import hashlib
import json
import os
import sys
from asyncio import create_subprocess_exec, subprocess
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from services.cli import services
from services.contacts.contact_points import AddContactPoint
from services.contacts.customer import RegisterCustomer, RenameCustomer, customer
from services.interactions.interaction import RecordInteraction, interaction
from services.portal.lines import Item
from services.portal.order import CancelOrder, PlaceOrder, order
from shared.codec import Codec
from shared.decider import Context, Log, handle
from shared.envelope import Recorded
from shared.ids import imported
from shared.keyring import SqliteKeyring
from shared.moving.move import move
from shared.projections.generation import Generation
from shared.projections.progress import STORE, Batch
from shared.projections.sqlite_home import SqliteHome
from shared.settings import Settings
from shared.sqlite_store import SqliteStore
from shared.store import EventStore
from shared.topics import service_of
from shared.verify import Content
from shared.verify import content as tables_held

ROOT = Path(__file__).parents[2]
EVENTS_EACH = 7
FAMILIES = [family for service in services() for family in service.families]


def customer_id(number: int) -> UUID:
    return imported("customer", "shop", str(number))


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Log]:
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240, a moment of a test
    store, keyring = SqliteStore(folder / "events.db"), SqliteKeyring(folder / "keyring.db")
    try:
        yield Log(store, keyring, Codec(keyring))
    finally:
        await store.close()
        keyring.close()


async def trade(folder: Path, numbers: Iterable[int]) -> None:
    """What three services record of some customers, EVENTS_EACH events of each; every tenth is forgotten again."""
    async with opened(folder) as log:
        for number in numbers:
            who, bought = customer_id(number), imported("order", "shop", str(number))
            item = Item(code=f"p{number % 5}", quantity=1 + number, amount_minor=250)
            met = {"kind": "phone_call", "direction": "inbound", "summary": f"Zoë {number}", "handler": "staff:jdewit"}
            for decider, id_, command in (
                (
                    customer,
                    who,
                    RegisterCustomer(customer_id=who, name=f"Zoë {number}", email=f"z{number}@kov.example"),
                ),
                (order, bought, PlaceOrder(customer_id=who, order_id=bought, currency="EUR", lines=(item,))),
                (customer, who, RenameCustomer(name=f"Ana {number}")),
                (interaction, bought, RecordInteraction(customer_id=who, interaction_id=bought, **met)),
                (order, bought, CancelOrder(reason="changed her mind")),
                (customer, who, AddContactPoint(channel="phone", value="+31201234567")),
            ):
                await handle(log, decider, id_, command, context=Context("cli:test", uuid4()))
            if number % 10 == 9:
                log.keyring.destroy(f"customer-{who}")


async def content(store: EventStore) -> list[Recorded]:
    return [event async for page in store.pages(0) for event in page.events]


def without_positions(events: Iterable[Recorded]) -> list[tuple[Any, ...]]:
    return [event[1:] for event in events]


def checksum(events: Iterable[Recorded]) -> str:
    return hashlib.sha256(b"".join(event.hash for event in events)).hexdigest()


async def moved(folder: Path, uri: str, **servers: Any) -> dict[str, Any]:
    """Move a folder in this process, and give the result."""
    *progress, last = [report async for report in move(services(), Settings(data=folder, store=uri, **servers))]
    for what in ("checking", "copying", "comparing"):
        steps = [report["progress"] for report in progress if report["progress"]["what"] == what]
        assert steps[-1]["done"] == steps[-1]["total"]
    return last["result"]


async def migrate(folder: Path, *arguments: str, **environment: str) -> tuple[int, Any, str]:
    """Run `rapport migrate`; gives its exit code, the document that it printed, and what it said."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAPPORT_")}
    process = await create_subprocess_exec(
        sys.executable,
        *("-m", "services", "migrate", "--data", str(folder), "--json", *arguments),
        env=clean | {"PYTHONPATH": str(ROOT)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, json.loads(out) if out else None, err.decode()


def by_subject_and_service(events: Iterable[Recorded]) -> dict[tuple[str, str], list[tuple[Any, ...]]]:
    """What Kafka keeps in order, without the positions."""
    found: dict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)
    for event in events:
        found[event.subject, service_of(event.type)].append(event[1:])
    return found


async def folded(folder: Path, positions: Sequence[int]) -> dict[str, dict[str, tuple[int, str]]]:
    """What read models hold of the folder's own events, had they stood at these positions."""
    tables = {}
    async with opened(folder) as log:
        placed = zip(await content(log.store), positions, strict=True)
        events = [event._replace(position=position) for event, position in placed]
        for family in FAMILIES:
            mine = [event for event in events if event.type in family.types]
            place = SqliteHome(folder / "folded").place(family.name)
            with closing(Generation(family, 0, place, log.codec)) as generation:
                generation.apply([Batch(*STORE, mine, positions[-1], 0)])
                generation.refresh()
                tables[family.name] = held(generation).tables
    return tables


def held(generation: Generation) -> Content:
    found = tables_held(generation)
    assert found is not None
    return found
