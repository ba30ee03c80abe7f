"""Ours: clients that append one event each, again and again, to `SqliteStore`; hash chain, heads and fsync included.

The drafts (payload and metadata as bytes) and the names of the streams are made before the clock starts. GC as the
server sets it: frozen, with high thresholds. `commits` are counted by SQLite's own commit hook.
"""

import argparse
import asyncio
import gc
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from payloads import encoded, payloads

from shared.envelope import NO_STREAM, Draft, Head, Metadata, pack
from shared.sqlite_store import SqliteStore

_PAYLOADS = 20_000
_STREAMS_A_SECOND = 60_000


def drafts() -> list[Draft]:
    """Events as the product hands them to the store: encoded, and with all of their metadata."""
    made = []
    for customer, type_, payload in payloads(_PAYLOADS):
        subject, command = f"customer-{customer}", str(uuid4())
        at = next(value for key, value in payload.items() if key.endswith("_at"))
        metadata = pack(Metadata(subject, "cli:someone", command, "0" * 64, at, at, command))
        made.append(Draft(uuid4().bytes, f"crm.bench.{type_}", 1, subject, encoded(payload), metadata))
    return made


async def to_new_streams(store: Any, jobs: Iterator[tuple[str, Draft]], until: float, took: list[float]) -> None:
    """One client; each of its events begins a stream."""
    for stream, draft in jobs:
        started = time.perf_counter()
        if started > until:
            return
        await store.append(stream, NO_STREAM, [draft])
        took.append(time.perf_counter() - started)


async def to_known_streams(
    store: Any, heads: dict[str, Head], jobs: Iterator[Draft], until: float, took: list[float]
) -> None:
    """One client; its events continue the streams of its own customers."""
    for draft in jobs:
        started = time.perf_counter()
        if started > until:
            return
        (event,) = await store.append(draft.subject, heads[draft.subject], [draft])
        heads[draft.subject] = Head(event.version, event.hash)
        took.append(time.perf_counter() - started)


async def clients(store: Any, count: int, streams: str, seconds: float) -> tuple[list[list[float]], list]:
    """Everything made before the clock starts: where each client notes its times, and what it has to do."""
    prepared, took = drafts(), [[] for _ in range(count)]
    if streams == "new":
        names = [f"order-{uuid4()}" for _ in range(int(_STREAMS_A_SECOND * seconds) + count)]
        jobs = [zip(names[n::count], itertools.cycle(prepared[n::count]), strict=False) for n in range(count)]
        return took, [lambda until, n=n: to_new_streams(store, jobs[n], until, took[n]) for n in range(count)]
    subjects = sorted({draft.subject for draft in prepared})
    owner = {subject: n % count for n, subject in enumerate(subjects)}
    own = [[draft for draft in prepared if owner[draft.subject] == n] for n in range(count)]
    firsts = await asyncio.gather(*(store.append(s, NO_STREAM, [prepared[0]._replace(subject=s)]) for s in subjects))
    heads = {event.stream: Head(event.version, event.hash) for (event,) in firsts}
    return took, [
        lambda until, n=n: to_known_streams(store, heads, itertools.cycle(own[n]), until, took[n]) for n in range(count)
    ]


async def run(store: Any, options: argparse.Namespace) -> dict[str, float]:
    """One timed run, which closes the store."""
    took, work = await clients(store, options.clients, options.streams, options.warm + options.seconds)
    commits = itertools.count()
    store._db.set_commit_hook(lambda: next(commits) < 0)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    await asyncio.gather(*(client(time.perf_counter() + options.warm) for client in work))
    for some in took:
        some.clear()
    before = next(commits)
    cpu, started = time.process_time(), time.perf_counter()
    await asyncio.gather(*(client(started + options.seconds) for client in work))
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    count = next(commits) - before - 1
    await store.close()
    return {**summary(took), "seconds": seconds, "cpu": cpu, "commits": count}


def summary(took: list[list[float]]) -> dict[str, float]:
    """How many appends there were, and how long they took."""
    times = sorted(itertools.chain.from_iterable(took))
    p50, p99 = (1_000 * times[int(len(times) * share)] for share in (0.5, 0.99))
    return {"events": len(times), "p50_ms": p50, "p99_ms": p99}


def arguments(about: str | None) -> argparse.ArgumentParser:
    """What a contestant is told."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--streams", choices=["new", "known"], default="new")
    parser.add_argument("--warm", type=float, default=1.0, help="seconds before the clock starts")
    parser.add_argument("--seconds", type=float, default=2.0)
    return parser


async def main() -> None:
    """Run once and print the result."""
    options = arguments(__doc__).parse_args()
    print(json.dumps(await run(SqliteStore(options.folder / "events.db"), options)))


if __name__ == "__main__":
    asyncio.run(main())
