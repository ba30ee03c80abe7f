"""A follower in a process of its own, to be killed: FOLDER STORE-ID BOOTSTRAP PREFIX GROUP."""

import asyncio
import sys
from pathlib import Path
from uuid import UUID

import trials

from shared.consumer import KafkaFollower


async def main(folder: str, store_id: str, bootstrap: str, prefix: str, group: str) -> None:
    generation = trials.opened(Path(folder))
    await KafkaFollower(generation, UUID(store_id), bootstrap, group=group, instance="one", prefix=prefix).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
