"""Ours: a store's events to a topic, through the product's relay: transactions with the checkpoint inside.

The clock runs from when the producer is ready to when the last transaction is committed. GC and the switching of
threads as the server sets them.
"""

import argparse
import asyncio
import gc
import json
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import timing
import topic
import uvloop

from shared.relay import Relay
from shared.sqlite_store import SqliteStore


async def main(store: Path, kafka: str, events: int) -> dict[str, Any]:
    """Relay at least so many events to a new topic."""
    opened = SqliteStore(store, writable=False)
    relay = Relay(opened, kafka, topic.SERVICE, prefix=f"bench-{uuid4().hex[:12]}.")
    relaying = asyncio.create_task(relay.run())
    await topic.begun(relay, relaying)
    before = relay.published
    with timing.Timed() as timed:
        await topic.published(relay, relaying, events)
    result = timed.result(relay.published - before)
    await topic.ended(relaying)
    await opened.close()
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
