"""A plain relay of the same events: aiokafka's `send` for each record, and a checkpoint behind each 2,000.

The same reader of the store, the same key, payload and headers, all brokers' acknowledgement, no transactions: the
checkpoint is a record sent when all before it are confirmed. Loop, GC, switching of threads and clock as ours.
"""

import argparse
import asyncio
import gc
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import timing
import topic
import uvloop
from aiokafka import AIOKafkaProducer

from shared.envelope import Recorded
from shared.sqlite_store import SqliteStore
from shared.topics import checkpoints, create_topics

_AT_ONCE = 2_000
_LINGER_MS = 5
_OPTIONAL = {
    "onbehalfof": "on_behalf_of",
    "correlationid": "correlation_id",
    "causationid": "causation_id",
    "traceparent": "traceparent",
}


def headers(event: Recorded, store: str) -> list[tuple[str, bytes]]:
    """The same headers as ours, one by one."""
    meta = event.meta
    texts = {
        "ce_type": event.type,
        "ce_dataschema": f"urn:rapport:{event.type}:{event.schema}",
        "store": store,
        "ce_specversion": "1.0",
        "ce_source": f"/crm/{event.type.split('.')[1]}",
        "content-type": "application/json",
        "position": str(event.position),
        "ce_id": str(event.uuid),
        "ce_subject": event.subject,
        "ce_time": meta.occurred_at,
        "ce_partitionkey": event.subject,
        "stream": event.stream,
        "version": str(event.version),
        "hash": event.hash.hex(),
        "recordedtime": meta.recorded_at,
        "actor": meta.actor,
        "commandid": meta.command_id,
        "commandhash": meta.command_hash,
    }
    texts |= {name: getattr(meta, field) for name, field in _OPTIONAL.items() if getattr(meta, field) is not None}
    return [(name, text.encode()) for name, text in texts.items()]


async def chunks(store: SqliteStore) -> AsyncIterator[list[Recorded]]:
    """The log in pieces of four pages."""
    events: list[Recorded] = []
    async for page in store.pages(0):
        events += page.events
        if len(events) >= _AT_ONCE:
            yield events
            events = []
    yield events


async def main(path: Path, kafka: str, wanted: int) -> dict[str, Any]:
    """Send at least so many events to a new topic."""
    store, prefix = SqliteStore(path, writable=False), f"bench-{uuid4().hex[:12]}."
    await create_topics(kafka, [topic.SERVICE], prefix=prefix)
    name, checkpoint = topic.topic(topic.SERVICE, prefix), checkpoints(topic.SERVICE, prefix)
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", enable_idempotence=True, linger_ms=_LINGER_MS, max_batch_size=1 << 18
    )
    await producer.start()
    await producer.send_and_wait(checkpoint, b"0", key=b"relay")
    done = 0
    with timing.Timed() as timed:
        async for events in chunks(store):
            sent = [
                await producer.send(name, event.data, key=event.subject.encode(), headers=headers(event, str(store.id)))
                for event in events
            ]
            await asyncio.gather(*sent)
            done += len(events)
            await producer.send_and_wait(checkpoint, b"%d" % done, key=b"relay")
            if done >= wanted:
                break
    result = timed.result(done)
    await producer.stop()
    await store.close()
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--events", type=int, required=True)
    asked = parser.parse_args()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    sys.setswitchinterval(0.001)
    print(json.dumps(uvloop.run(main(asked.store, asked.kafka, asked.events))))
