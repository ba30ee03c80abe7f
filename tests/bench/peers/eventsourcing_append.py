"""eventsourcing on SQLite: threads that `put` one domain event each, again and again, into its `EventStore`.

The domain events, as objects, are made before the clock starts; `put` maps one to bytes and commits it, as the library
is meant to be used, with its own settings: WAL, and synchronous=FULL as its SQLite is built, which is checked. They
carry the payload alone, less than ours. `--via recorder` leaves out the mapping: the events are bytes before the clock
starts, as ours are. GC as for ours. The library has one writer at a time and a commit per event.
"""

import argparse
import gc
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from eventsourcing.domain import DomainEvent
from eventsourcing.persistence import DatetimeAsISO, EventStore, JSONTranscoder
from eventsourcing.sqlite import SQLiteFactory

sys.path.insert(0, str(Path(__file__).parents[1]))
from payloads import payloads

_PAYLOADS = 20_000
_EVENTS_A_SECOND = 8_000
_FULL = 2


class OrderPlaced(DomainEvent):
    customer_id: str
    order_id: str
    placed_at: str
    business_day: int
    currency: str
    lines: list[dict[str, Any]]


class InteractionLogged(DomainEvent):
    customer_id: str
    interaction_id: str
    occurred_at: str
    channel: str
    direction: str
    duration_s: int
    agent_id: str
    note: str


class SatisfactionRated(DomainEvent):
    customer_id: str
    rating_id: str
    rated_at: str
    score: int
    survey: str
    comment: str


_CLASSES = {cls.__name__: cls for cls in (OrderPlaced, InteractionLogged, SatisfactionRated)}


def opened(folder: Path) -> EventStore:
    """The library's own event store, durable or not at all."""
    factory = SQLiteFactory({"SQLITE_DBNAME": str(folder / "events.db")})
    with factory.datastore.get_connection(commit=True) as connection:
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous")
        synchronous = cursor.fetchone()[0]
        cursor.execute("PRAGMA journal_mode")
        assert (synchronous, cursor.fetchone()[0]) == (_FULL, "wal"), "not durable"
    transcoder = JSONTranscoder()
    transcoder.register(DatetimeAsISO())
    return factory.event_store(mapper=factory.mapper(transcoder=transcoder))


def events(clients: int, count: int, streams: str) -> tuple[list[DomainEvent], list[list[DomainEvent]]]:
    """What is there before the clock starts, and what each client appends."""
    now, versions, first = datetime.now(UTC), {}, []
    own: list[list[DomainEvent]] = [[] for _ in range(clients)]
    for n, (customer, type_, payload) in zip(range(count), itertools.cycle(payloads(_PAYLOADS)), strict=False):
        cls, stream, version, client = _CLASSES[type_], uuid4(), 1, n % clients
        if streams == "known":
            if customer not in versions:
                versions[customer] = (1, len(versions) % clients)
                first.append(cls(originator_id=customer, originator_version=1, timestamp=now, **payload))
            version, client = versions[customer][0] + 1, versions[customer][1]
            stream, versions[customer] = customer, (version, client)
        own[client].append(cls(originator_id=stream, originator_version=version, timestamp=now, **payload))
    return first, own


def client(write: Callable[[Any], Any], jobs: Iterator[Any], until: float) -> list[float]:
    """One thread of callers; how long each call took."""
    took: list[float] = []
    for job in jobs:
        started = time.perf_counter()
        if started > until:
            break
        write([job])
        took.append(time.perf_counter() - started)
    return took


def timed(
    threads: ThreadPoolExecutor, write: Callable[[Any], Any], jobs: Sequence[Iterator[Any]], seconds: float
) -> list[float]:
    """All clients at once; how long each call took, sorted."""
    until = time.perf_counter() + seconds
    clients = [threads.submit(client, write, some, until) for some in jobs]
    return sorted(itertools.chain.from_iterable(each.result() for each in clients))


def run(options: argparse.Namespace) -> dict[str, float]:
    """One timed run."""
    store = opened(options.folder)
    first, own = events(options.clients, int(_EVENTS_A_SECOND * (options.warm + options.seconds)), options.streams)
    store.put(first)
    write: Callable[[Any], Any] = store.put
    if options.via == "recorder":
        write, own = store.recorder.insert_events, [[store.mapper.to_stored_event(e) for e in some] for some in own]
    jobs = [iter(some) for some in own]
    with ThreadPoolExecutor(options.clients) as threads:
        timed(threads, write, jobs, options.warm)
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        cpu, started = time.process_time(), time.perf_counter()
        times = timed(threads, write, jobs, options.seconds)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    p50, p99 = (1_000 * times[int(len(times) * share)] for share in (0.5, 0.99))
    done = len(times)
    return {"events": done, "seconds": seconds, "cpu": cpu, "p50_ms": p50, "p99_ms": p99, "commits": done}


def main() -> None:
    """Run once and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--streams", choices=["new", "known"], default="new")
    parser.add_argument("--via", choices=["put", "recorder"], default="put")
    parser.add_argument("--warm", type=float, default=1.0, help="seconds before the clock starts")
    parser.add_argument("--seconds", type=float, default=2.0)
    print(json.dumps(run(parser.parse_args())))


if __name__ == "__main__":
    main()
