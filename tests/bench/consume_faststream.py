"""FastStream as its documentation shows it: a handler per message, that counts; the offset is committed by default.

The clock runs from when the subscriber has joined its group to the last message wanted. Loop, GC and isolation as ours.
"""

import argparse
import asyncio
import gc
import json
import sys
from typing import Any
from uuid import uuid4

import timing
import uvloop
from faststream.kafka import KafkaBroker, KafkaMessage


async def main(kafka: str, topic: str, events: int) -> dict[str, Any]:
    """Handle so many messages."""
    broker = KafkaBroker(kafka, logger=None)
    handled = 0
    enough = asyncio.Event()

    @broker.subscriber(
        topic,
        group_id=f"bench-{uuid4().hex[:12]}",
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    async def handler(body: dict[str, Any], message: KafkaMessage) -> None:
        nonlocal handled
        assert message.headers["ce_type"]
        handled += 1
        if handled == events:
            enough.set()

    await broker.start()
    with timing.Timed() as timed:
        await enough.wait()
    result = timed.result(events)
    await broker.stop()
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
