"""Ours: a topic to durable read models, through the product's consumer, until all of it is applied and committed.

`--family count` counts events and folds nothing, so that what consuming takes is measured; `--family shop` keeps both
tables. `--page N` commits a transaction for every N events. `--processes N` shares the partitions among N members of
one group, each with a read model of its own, which together hold what one would. The clock runs from when the first
member has joined the group to the last commit. GC and the switching of threads as the server sets them.
"""

import argparse
import asyncio
import gc
import json
import multiprocessing
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import counting
import shop
import timing
import topic
import uvloop
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from shared.codec import Codec
from shared.consumer import KafkaFollower
from shared.keyring import SqliteKeyring
from shared.projections.generation import Generation
from shared.projections.progress import Batch
from shared.projections.sqlite_home import SqliteHome
from shared.sqlite_store import SqliteStore
from shared.topic_ends import topic_ends
from shared.topics import PARTITIONS

FAMILIES = {"count": counting, "shop": shop}
_SESSION_MS = 10_000


class Member(NamedTuple):
    """One process of a group."""

    asked: argparse.Namespace
    group: str
    name: str
    partitions: int

    def consume(self) -> dict[str, Any]:
        """Fold this member's partitions from their begin to their end."""
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        sys.setswitchinterval(0.001)
        return uvloop.run(self._consume())

    async def _consume(self) -> dict[str, Any]:
        asked, prefix = self.asked, self.asked.topic.removesuffix(topic.topic(topic.SERVICE))
        store = SqliteStore(asked.store, writable=False)
        place = SqliteHome(asked.folder).place(f"followed-{self.name}")
        generation = Generation(
            FAMILIES[asked.family].family, 1, place, Codec(SqliteKeyring(asked.folder / f"{self.name}-keys.db"))
        )
        if asked.page:
            in_pages(generation, asked.page)
        ends = await topic_ends(asked.kafka, [topic.SERVICE], prefix)
        moved = asyncio.Event()
        named = {"group": self.group, "instance": self.name, "prefix": prefix}
        follower = KafkaFollower(generation, store.id, asked.kafka, **named, moved=moved.set)
        following = asyncio.create_task(follower.run())
        while follower.failing:  # noqa: ASYNC110, it tells nobody when it has begun
            await asyncio.sleep(0.001)
        began = time.monotonic()
        with timing.Timed() as timed:
            while not self._at_end(generation, ends):
                await moved.wait()
                moved.clear()
        result = timed.result(sum(mark.applied for mark in generation.marks().values()))
        result |= {"began": began, "ended": time.monotonic()}
        await topic.ended(following)
        await store.close()
        return result | {"checksum": FAMILIES[asked.family].figures(generation)}

    def _at_end(self, generation: Generation, ends: dict[tuple[str, int], int]) -> bool:
        """Whether all its partitions are read but for the marker of the last transaction, which no page brings."""
        marks = generation.marks()
        return len(marks) == self.partitions and all(mark.next_offset >= ends[at] - 1 for at, mark in marks.items())


def in_pages(generation: Generation, events: int) -> None:
    """Have a generation commit after every so many events."""
    apply = generation.apply

    def paged(batches: Sequence[Batch]) -> None:
        for batch in batches:
            for begin in range(0, len(batch.events), events):
                page = batch.events[begin : begin + events]
                apply([batch._replace(events=page, position=page[-1].position, next_offset=0)])
        apply([batch._replace(events=()) for batch in batches])

    generation.apply = paged  # type: ignore[method-assign]


async def settled(asked: argparse.Namespace, group: str, names: Sequence[str]) -> None:
    """Have the members join and share the partitions evenly; a static member that comes back finds what it had."""
    consumers = [
        AIOKafkaConsumer(
            asked.topic,
            bootstrap_servers=asked.kafka,
            group_id=group,
            group_instance_id=name,
            partition_assignment_strategy=[RangePartitionAssignor],
            session_timeout_ms=_SESSION_MS,
            enable_auto_commit=False,
        )
        for name in names
    ]
    await asyncio.gather(*(consumer.start() for consumer in consumers))
    while {len(consumer.assignment()) for consumer in consumers} != {PARTITIONS // len(names)}:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await asyncio.gather(*(consumer.stop() for consumer in consumers))


def main(asked: argparse.Namespace) -> dict[str, Any]:
    """Consume with as many processes as asked for."""
    group = f"bench-{uuid4().hex[:12]}"
    names = [f"member-{number}" for number in range(asked.processes)]
    members = [Member(asked, group, name, PARTITIONS // len(names)) for name in names]
    if len(members) == 1:
        return members[0].consume()
    uvloop.run(settled(asked, group, names))
    with ProcessPoolExecutor(len(members), multiprocessing.get_context("spawn")) as processes:
        results = list(processes.map(Member.consume, members))
    return {
        "events": sum(result["events"] for result in results),
        "seconds": max(result["ended"] for result in results) - min(result["began"] for result in results),
        "cpu": sum(result["cpu"] for result in results),
        "peak_mb": sum(result["peak_mb"] for result in results),
        "checksum": [sum(figures) for figures in zip(*(result["checksum"] for result in results), strict=True)],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="for the read models; empty")
    parser.add_argument("--store", type=Path, required=True, help="whose events are in the topic")
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--family", choices=FAMILIES, default="shop")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--page", type=int, default=0)
    print(json.dumps(main(parser.parse_args())))
