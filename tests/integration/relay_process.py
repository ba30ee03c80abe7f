"""The relays of services in a process of its own, to be killed; says how each goes on whenever that changes."""

import argparse
import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from topics_kit import step

from shared.eventstoredb import EventStoreDB
from shared.relay import Relay
from shared.sqlite_store import SqliteStore
from shared.store import EventStore


async def opened(where: str) -> EventStore:
    return await EventStoreDB.open(where) if "://" in where else SqliteStore(Path(where), writable=False)


async def tell(relay: Relay) -> None:
    said = None
    while True:
        if relay.state != said:
            said = relay.state
            print(relay.service, said, flush=True)
        await asyncio.sleep(0.005)


async def main(given: argparse.Namespace, run: Callable[[Relay], Awaitable[None]] = Relay.run) -> None:
    if given.step:
        method, when, nth = given.step
        step(pytest.MonkeyPatch(), method, when, int(nth), lambda: os.kill(os.getpid(), signal.SIGKILL))
    store = await opened(given.store)
    relays = [Relay(store, given.bootstrap, service, prefix=given.prefix) for service in given.service or ["trials"]]
    await asyncio.gather(*map(tell, relays), *map(run, relays))


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("store", help="the file of an embedded one, or esdb://…")
    arguments.add_argument("bootstrap")
    arguments.add_argument("prefix")
    arguments.add_argument("--service", action="append", help="one or more, trials when none is given")
    arguments.add_argument("--step", nargs=3, metavar=("METHOD", "before|after", "NTH"), help="where it kills itself")
    return arguments


if __name__ == "__main__":
    asyncio.run(main(parser().parse_args()))
