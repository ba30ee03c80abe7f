"""Plain: the first year of Online Retail read with the product's own format, and its events appended: nothing else.

No command and no decider, no HTTP, no read model: orders become events, these are encoded, and appended to an empty
store in batches of its group commit. GC as the server sets it: frozen, with high thresholds.
"""

import argparse
import asyncio
import gc
import json
import os
import sqlite3
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime
from itertools import islice
from pathlib import Path
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import timing

from services.commands.formats.online_retail import ONLINE_RETAIL
from services.commands.formats.orders import Money, OrderFile
from services.commands.formats.records import Order
from services.contacts.events import Alias, CustomerRegistered
from services.portal.events import CreditIssued, Line, OrderPlaced
from shared.clock import business_day, stamp, utc_now
from shared.codec import Codec
from shared.envelope import NO_STREAM, Draft, Metadata, pack
from shared.events import Event
from shared.ids import NS, imported
from shared.keyring import SqliteKeyring
from shared.sqlite_store import SqliteStore

YEAR = "online_retail_2009_2010.csv.gz"
DATA = Path(os.environ.get("RAPPORT_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
ABSENT = 4
"""The exit code where the data set, which does not ship, is not to be had."""
_SOURCE = ONLINE_RETAIL.name
_BATCH = 512


def arguments(about: str | None) -> argparse.Namespace:
    """What a contestant is told; ends the program when there is no file."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--file", type=Path, default=DATA / YEAR)
    asked = parser.parse_args()
    if not asked.file.is_file():
        sys.stderr.write(f"no data set {asked.file}: set RAPPORT_TEST_DATA=FOLDER\n")
        sys.exit(ABSENT)
    return asked


def checksum(store: Path) -> list[int]:
    """What the events of a store come to, in whatever order they were appended."""
    with closing(sqlite3.connect(store)) as db:
        sums = [zlib.crc32(data, zlib.crc32(id_)) for id_, data in db.execute("SELECT event_id, data FROM events")]
    return [len(sums), sum(sums)]


def customer(outside_id: str) -> tuple[str, UUID, Event, datetime]:
    """A customer of whom the file says nothing but the id, as (stream, command, event, moment)."""
    id_ = imported("customer", _SOURCE, outside_id)
    alias = Alias(source=_SOURCE, outside_id=outside_id)
    known = {"kind": "individual", "name": None, "country": None, "internal": False, "alias": alias}
    return f"customer-{id_}", uuid5(NS, str(id_)), CustomerRegistered(customer_id=id_, **known), utc_now()


def order(given: Order, money: Money) -> tuple[str, UUID, Event, datetime]:
    """An order or a credit note as (stream, command, event, moment)."""
    kind = "credit-note" if given.credit else "order"
    id_, moment = imported(kind, _SOURCE, given.number), datetime.fromisoformat(given.moment)
    own = {"credit_note_id": id_, "order_id": None} if given.credit else {"order_id": id_}
    event = (CreditIssued if given.credit else OrderPlaced)(
        **own,
        customer_id=imported("customer", _SOURCE, given.customer),
        source=_SOURCE,
        number=given.number,
        currency=money.currency,
        business_day=business_day(moment, money.zone.key),
        lines=tuple(Line(ordinal=ordinal, **line) for ordinal, line in enumerate(given.lines, 1)),
        line_count=len(given.lines),
        quantity=sum(line["quantity"] for line in given.lines),
        total_minor=sum(line["amount_minor"] for line in given.lines),
    )
    return f"{kind}-{id_}", uuid5(NS, str(id_)), event, moment


def facts(file: OrderFile, money: Money) -> Iterator[tuple[str, UUID, Event, datetime]]:
    """Everything that the file says, customers first."""
    for _ in file.stage():
        pass
    for some in file.customers():
        yield from map(customer, some)
    for batch in file.batches():
        for given in (*batch.orders, *batch.credit_notes):
            if not given.credit or any(line["amount_minor"] for line in given.lines):
                yield order(given, money)


async def append(store: SqliteStore, codec: Codec, found: Iterable[tuple[str, UUID, Event, datetime]]) -> int:
    """Append them, a batch at a time; how many there were."""
    count = 0
    for some in iter(lambda: list(islice(found, _BATCH)), []):
        drafts = {}
        for stream, command, event, moment in some:
            id_, subject = uuid5(command, f"{stream}/0"), event.subject(stream)
            now, named = stamp(utc_now()), str(command)
            meta = Metadata(subject, "cli:someone", named, "0" * 64, stamp(moment), now, named)
            data = codec.encode(event, id_, subject)
            drafts[stream] = Draft(id_.bytes, event.type, event.schema_version, subject, data, pack(meta))
        await asyncio.gather(*(store.append(stream, NO_STREAM, [draft]) for stream, draft in drafts.items()))
        count += len(drafts)
    return count


async def main() -> None:
    """Run once and print the result."""
    asked = arguments(__doc__)
    money = Money(ZoneInfo(ONLINE_RETAIL.timezone), ONLINE_RETAIL.currency, 2)
    path = asked.folder / "events.db"
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    with timing.Timed() as timed:
        store = SqliteStore(path)
        codec = Codec(SqliteKeyring(asked.folder / "keyring.db"))
        with OrderFile(asked.file, ONLINE_RETAIL, money) as file:
            events = await append(store, codec, facts(file, money))
        await store.close()
    print(json.dumps({**timed.result(events), "checksum": checksum(path)}))


if __name__ == "__main__":
    asyncio.run(main())
