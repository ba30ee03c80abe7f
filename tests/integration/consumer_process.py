"""A follower in a process of its own, to be killed, or stopped with SIGTERM."""

import argparse
import asyncio
import signal
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import trials

from shared.consumer import KafkaFollower


async def main(given: argparse.Namespace) -> None:
    generation = trials.in_database(given.folder, given.database) if given.database else trials.opened(given.folder)
    named = {"group": given.group, "instance": given.instance, "prefix": given.prefix}
    following = asyncio.create_task(KafkaFollower(generation, given.store, given.bootstrap, **named).run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, following.cancel)
    print("follows", flush=True)
    with suppress(asyncio.CancelledError):
        await following
    generation.close()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("store", type=UUID)
    arguments.add_argument("bootstrap")
    arguments.add_argument("prefix")
    arguments.add_argument("group")
    arguments.add_argument("--instance", default="one")
    arguments.add_argument("--database", help="where the tables are, instead of the folder")
    asyncio.run(main(arguments.parse_args()))
