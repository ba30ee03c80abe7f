"""The read model of the replays that are not ours: the two tables of `shop.py`, in a fresh SQLite file.

All of the standard library, because the peers' environment has no more.
"""

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

CUSTOMERS = """CREATE TABLE customers(
    customer TEXT PRIMARY KEY, orders INTEGER NOT NULL, first_order INTEGER, last_order INTEGER,
    spend INTEGER NOT NULL, contacts INTEGER NOT NULL, last_contact INTEGER, ratings INTEGER NOT NULL,
    score INTEGER NOT NULL) WITHOUT ROWID"""
CUSTOMER_SKU = """CREATE TABLE customer_sku(
    customer TEXT, sku TEXT, lines INTEGER NOT NULL, last_order INTEGER NOT NULL,
    PRIMARY KEY(customer, sku)) WITHOUT ROWID"""

_FIGURES = (
    "SELECT count(*), sum(orders), sum(spend), sum(contacts), sum(ratings), sum(score), sum(first_order % 1000003),"
    " sum(last_order % 1000003), sum(last_contact % 1000003) FROM customers",
    "SELECT count(*), sum(lines), sum(last_order % 1000003) FROM customer_sku",
)


def write(path: Path, customers: Iterable[Any], skus: Iterable[Any]) -> None:
    """Write both tables at once, from rows in the order of their keys, and wait until the disk has them."""
    db = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", CUSTOMERS, CUSTOMER_SKU, "BEGIN"):
        db.execute(statement)
    db.executemany("INSERT INTO customers VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", customers)
    db.executemany("INSERT INTO customer_sku VALUES(?, ?, ?, ?)", skus)
    db.execute("COMMIT")
    db.close()
    with path.open("rb") as file:
        os.fsync(file.fileno())


def figures(path: Path) -> list[int]:
    """The figures of `history.Fold`, asked of the file."""
    db = sqlite3.connect(path)
    found = [int(number or 0) for query in _FIGURES for number in db.execute(query).fetchone()]
    db.close()
    return found
