"""DuckDB on two threads: newline-delimited JSON to the two tables, in a fresh SQLite file.

DuckDB reads the fields it needs, does the sums and the sorting; the standard library's sqlite3 writes its rows, as no
package has the SQLite extension of DuckDB 2.0 (with DuckDB 1.5 and its extension the same took as much CPU). The JSON,
with the sealed texts as the store has them, is made beside the store before the clock starts. The collector is off.
"""

import argparse
import gc
import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

sys.path.insert(0, str(Path(__file__).parents[1]))
import timing
import two_tables

_THREADS = 2
_AT_ONCE = 10_000
_EVENTS = (
    "SELECT s.name, t.name, e.data FROM events e JOIN streams s ON s.id = e.subject_id JOIN types t ON t.id = e.type_id"
    " WHERE e.position <= ? ORDER BY e.position"
)
_READ = """
CREATE TEMP TABLE events AS
SELECT
    subject,
    epoch_ms(data.placed_at) AS ordered,
    epoch_ms(data.occurred_at) AS contacted,
    data.score,
    data.lines
FROM read_json(?, format = 'newline_delimited', columns = {
    subject: 'VARCHAR',
    data: 'STRUCT(placed_at TIMESTAMP, occurred_at TIMESTAMP, score BIGINT,
                  lines STRUCT(sku VARCHAR, quantity BIGINT, unit_price_minor BIGINT)[])'})
"""
_CUSTOMERS = """
SELECT
    subject,
    count(ordered),
    min(ordered),
    max(ordered),
    coalesce(sum(list_sum([line.quantity * line.unit_price_minor FOR line IN lines])), 0)::BIGINT,
    count(contacted),
    max(contacted),
    count(score),
    coalesce(sum(score), 0)::BIGINT
FROM events GROUP BY subject ORDER BY subject
"""
_SKUS = """
SELECT subject, line.sku AS sku, count(*), max(ordered)
FROM (SELECT subject, ordered, unnest(lines) AS line FROM events)
GROUP BY subject, sku ORDER BY subject, sku
"""


def exported(store: Path, events: int) -> Path:
    """The first so many events as JSON, an object a line; made when they are not there."""
    path = store.with_name(f"events-{events}.ndjson")
    if not path.exists():
        unfinished = path.with_suffix(".unfinished")
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db, unfinished.open("wb") as file:
            for subject, type_, data in db.execute(_EVENTS, (events,)):
                file.write(b'{"subject":"%b","type":"%b","data":%b}\n' % (subject.encode(), type_.encode(), data))
        unfinished.rename(path)
    return path


def rows(db: duckdb.DuckDBPyConnection, query: str) -> Iterator[tuple[Any, ...]]:
    """What a query finds, fetched in parts."""
    db.execute(query)
    while some := db.fetchmany(_AT_ONCE):
        yield from some


def replay(source: Path, target: Path) -> None:
    """Read, sum, write."""
    with duckdb.connect(config={"threads": _THREADS, "autoinstall_known_extensions": False}) as db:
        db.execute(_READ, [str(source)])
        two_tables.write(target, rows(db, _CUSTOMERS), rows(db, _SKUS))


def main() -> None:
    """Run once and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="for the read model; empty")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--events", type=int, required=True)
    asked = parser.parse_args()
    source, target = exported(asked.store, asked.events), asked.folder / "duckdb.db"
    gc.disable()
    with timing.Timed() as timed:
        replay(source, target)
    print(json.dumps(timed.result(asked.events) | {"checksum": two_tables.figures(target)}))


if __name__ == "__main__":
    main()
