"""A topic with a history in it, for those who read it: the product's own relay publishes a store once and for all.

`python topic.py --store FILE --kafka HOST:PORT` prints the name of the topic when everything is in it.
"""

import argparse
import asyncio
from pathlib import Path

import uvloop

from shared.relay import Relay, State
from shared.sqlite_store import SqliteStore
from shared.topics import topic

SERVICE = "shop"
_LOOK_AGAIN = 0.005


def filled(store: Path, kafka: str) -> str:
    """The name of the topic with everything that a store holds; what is missing is published."""
    return uvloop.run(_filled(store, kafka))


async def _filled(store: Path, kafka: str) -> str:
    opened = SqliteStore(store, writable=False)
    prefix = f"bench-{opened.id.hex[:12]}."
    relay = Relay(opened, kafka, SERVICE, prefix=prefix)
    relaying = asyncio.create_task(relay.run())
    await published(relay, relaying, await opened.position())
    await ended(relaying)
    await opened.close()
    return topic(SERVICE, prefix)


async def begun(relay: Relay, relaying: asyncio.Task[None]) -> None:
    """Wait until a relay has its producer and knows where to begin."""
    while relay.state is not State.RELAYING and not relaying.done():  # noqa: ASYNC110, a relay calls nobody
        await asyncio.sleep(_LOOK_AGAIN)


async def published(relay: Relay, relaying: asyncio.Task[None], position: int) -> None:
    """Wait until a relay has got there."""
    while relay.published < position:
        if relaying.done():
            relaying.result()
        await asyncio.sleep(_LOOK_AGAIN)


async def ended(task: asyncio.Task[None]) -> None:
    """End what never ends."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--kafka", required=True)
    asked = parser.parse_args()
    print(filled(asked.store, asked.kafka))
