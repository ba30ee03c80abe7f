"""Bare aiokafka: `getmany` of up to 500 records, counted and dropped; nothing is decoded, nothing is durable.

The clock runs from when the consumer has joined its group to the last record. Loop, GC and isolation as ours.
"""

import argparse
import gc
import json
import sys
from typing import Any
from uuid import uuid4

import timing
import uvloop
from aiokafka import AIOKafkaConsumer


async def main(kafka: str, topic: str, events: int) -> dict[str, Any]:
    """Fetch at least so many records."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka,
        group_id=f"bench-{uuid4().hex[:12]}",
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        enable_auto_commit=False,
    )
    await consumer.start()
    fetched = 0
    with timing.Timed() as timed:
        while fetched < events:
            fetched += sum(map(len, (await consumer.getmany(timeout_ms=1_000, max_records=500)).values()))
    result = timed.result(fetched)
    await consumer.stop()
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--events", type=int, required=True)
    asked = parser.parse_args()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    sys.setswitchinterval(0.001)
    print(json.dumps(uvloop.run(main(asked.kafka, asked.topic, asked.events))))
