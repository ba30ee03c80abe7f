"""What the stream processors hold of each customer, folded event by event, and the SQLite file they write it to.

All of the standard library, because the peers' environment has nothing of ours.
"""

import json
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_PRIME = 1_000_003

Row = dict[str, Any]


def folded(row: Row | None, type_: str, data: dict[str, Any]) -> Row:
    """A customer's row with one more event in it."""
    if row is None:
        row = {"orders": 0, "spend": 0, "contacts": 0, "ratings": 0, "score": 0, "skus": {}}
        row |= {"first_order": None, "last_order": 0, "last_contact": 0}
    if type_ == "crm.shop.OrderPlaced":
        at = _milliseconds(data["placed_at"])
        row["orders"] += 1
        row["first_order"] = at if row["first_order"] is None else min(row["first_order"], at)
        row["last_order"] = max(row["last_order"], at)
        skus = row["skus"]
        for line in data["lines"]:
            row["spend"] += line["quantity"] * line["unit_price_minor"]
            known = skus.get(line["sku"])
            skus[line["sku"]] = [1, at] if known is None else [known[0] + 1, max(known[1], at)]
    elif type_ == "crm.shop.InteractionLogged":
        row["contacts"] += 1
        row["last_contact"] = max(row["last_contact"], _milliseconds(data["occurred_at"]))
    else:
        row["ratings"] += 1
        row["score"] += data["score"]
    return row


def _milliseconds(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // _MILLISECOND


class File:
    """A row per customer, as JSON; as durable as our own read models."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS customers(customer TEXT PRIMARY KEY, row TEXT) WITHOUT ROWID")

    def write(self, rows: Iterable[tuple[str, str]]) -> None:
        """Write rows over those that were there, in one transaction."""
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO customers VALUES(?, ?)", rows)
        self._db.execute("COMMIT")

    def figures(self) -> list[int]:
        """The figures of `shop.py`, asked of all rows."""
        rows = [json.loads(row) for (row,) in self._db.execute("SELECT row FROM customers")]
        sums = [sum(row[name] for row in rows) for name in ("orders", "spend", "contacts", "ratings", "score")]
        instants = [
            sum((row[name] or 0) % _PRIME for row in rows) for name in ("first_order", "last_order", "last_contact")
        ]
        skus = [sku for row in rows for sku in row["skus"].values()]
        return [
            len(rows),
            *sums,
            *instants,
            len(skus),
            sum(sku[0] for sku in skus),
            sum(sku[1] % _PRIME for sku in skus),
        ]
