"""A shop's history in the product's own store: hash chain, sealed texts and metadata as `rapport` writes them.

`python history.py --folder FOLDER --events N` writes FOLDER/N/events.db and FOLDER/N/figures.json: what a plain fold
of the first so many events comes to, which every contestant has to come to as well.
"""

import argparse
import asyncio
import json
import sys
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from payloads import payloads
from shop import BY_NAME

from shared.envelope import NO_STREAM, Draft, Head, Metadata, link, pack
from shared.errors import RapportError
from shared.keyring import seal
from shared.sqlite_files import open_durable
from shared.sqlite_store import SqliteStore
from shared.sqlite_writer import Append, Writer

CUSTOMERS = 100_000
PREFIXES = (10_000, 20_000, 50_000, 100_000, 200_000, 500_000)
_AT_ONCE = 5_000
_DAY = 86_400_000


KEY = bytes(32)
"""Everybody's: of a benchmark's history nobody is forgotten."""
_days: dict[str, int] = {}


def store_of(folder: Path, events: int, customers: int = CUSTOMERS) -> Path:
    """The file with so many events, made when it is not there."""
    path = folder / str(events) / "events.db"
    if not (path.parent / "figures.json").exists():
        _write(path, events, customers)
    return path


def figures(store: Path, events: int) -> list[int]:
    """What a fold of the first so many events of a store comes to."""
    known: dict[str, list[int]] = json.loads((store.parent / "figures.json").read_text())
    return known[str(events)]


class Fold:
    """A plain fold of payloads, event by event."""

    def __init__(self) -> None:
        self.customers: dict[Any, list[int]] = {}
        self.skus: dict[tuple[Any, str], list[int]] = {}

    def take(self, customer: Any, kind: str, data: dict[str, Any]) -> None:
        row = self.customers.setdefault(customer, [0] * 8)
        if kind == "OrderPlaced":
            at = milliseconds(data["placed_at"])
            row[0] += 1
            row[1] = min(row[1] or at, at)
            row[2] = max(row[2], at)
            for line in data["lines"]:
                row[3] += line["quantity"] * line["unit_price_minor"]
                sku = self.skus.setdefault((customer, line["sku"]), [0, 0])
                sku[0] += 1
                sku[1] = max(sku[1], at)
        elif kind == "InteractionLogged":
            row[4] = max(row[4], milliseconds(data["occurred_at"]))
            row[7] += 1
        else:
            row[5] += 1
            row[6] += data["score"]

    def figures(self) -> list[int]:
        """Counts and sums over both tables; instants modulo a prime, so that they fit."""
        columns = list(zip(*self.customers.values(), strict=True))
        orders, first, last, spend, contact, ratings, score, contacts = columns
        lines = [row[0] for row in self.skus.values()]
        instants = [sum(at % 1_000_003 for at in some) for some in (first, last, contact)]
        sums = [sum(column) for column in (orders, spend, contacts, ratings, score)]
        skus = [len(self.skus), sum(lines), sum(row[1] % 1_000_003 for row in self.skus.values())]
        return [len(self.customers), *sums, *instants, *skus]


def milliseconds(text: str) -> int:
    """An instant such as 2023-01-01T00:01:03.072Z in milliseconds since 1970."""
    day = _days.get(text[:10])
    if day is None:
        day = _days[text[:10]] = (date.fromisoformat(text[:10]) - date(1970, 1, 1)).days
    hours, minutes, thousandths = int(text[11:13]), int(text[14:16]), int(text[17:19] + text[20:23])
    return day * _DAY + hours * 3_600_000 + minutes * 60_000 + thousandths


def _write(path: Path, events: int, customers: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob("events.db*"):
        left.unlink()
    asyncio.run(SqliteStore(path).close())
    db = open_durable(path)
    db.pragma("synchronous", "off")  # a store that took a power cut while it was made is made again
    writer = Writer(db)
    fold, known, heads, done = Fold(), {}, {}, 0
    history = payloads(events, customers)
    while some := list(islice(history, _AT_ONCE)):
        appends = []
        for customer, kind, data in some:
            fold.take(customer, kind, data)
            done += 1
            if done in PREFIXES or done == events:
                known[done] = fold.figures()
            stream, head = f"customer-{data['customer_id']}", heads.get(customer, NO_STREAM)
            appends.append(Append(stream, head, [_draft(done, kind, stream, data)]))
            ((version, _, hash_),) = link(stream, head, appends[-1].drafts)
            heads[customer] = Head(version, hash_)
        for outcome in writer.commit(appends):
            if isinstance(outcome, RapportError):
                raise outcome
        if sys.stdout.isatty() or done == events:
            print(f"\r{done:,} of {events:,} events written", end="\n" if done == events else "", flush=True)
    db.pragma("journal_mode", "delete")
    db.pragma("journal_mode", "wal")
    db.close()
    (path.parent / "figures.json").write_text(json.dumps(known))


def _draft(number: int, kind: str, subject: str, data: dict[str, Any]) -> Draft:
    event, id_ = BY_NAME[kind], UUID(int=number)
    at = data.get("placed_at") or data.get("occurred_at") or data["rated_at"]
    for field in event.personal:
        data[field] = seal(KEY, data[field], event_id=id_.bytes, field=field)
    metadata = Metadata(
        subject=subject,
        actor="staff:bench",
        command_id=str(id_),
        command_hash="0" * 64,
        occurred_at=at,
        recorded_at=at,
        correlation_id=str(id_),
    )
    return Draft(id_.bytes, event.type, event.schema_version, subject, msgspec.json.encode(data), pack(metadata))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--events", type=int, required=True)
    asked = parser.parse_args()
    print(store_of(asked.folder, asked.events))
