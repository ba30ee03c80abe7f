"""A deployment under load while its servers and its replicas die: nothing that was acknowledged is lost."""

import asyncio
import json
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import postgres_server
import pytest
import servers
from deployment import Deployment
from load import Load
from topics_kit import published

from shared.topics import topic

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]
NOTICED_SECONDS = 10
RECOVERED_SECONDS = 15
ENDED_SECONDS = 10


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Deployment]]:
    """Start a deployment before a Kafka and a PostgreSQL."""
    with ExitStack() as stack:

        def started(kafka: str, postgres: str) -> Deployment:
            database, keyring = (stack.enter_context(postgres_server.empty_database(postgres)) for _ in range(2))
            deployed = Deployment(tmp_path, kafka, database, keyring)
            stack.callback(deployed.close)
            return deployed

        yield started


async def nothing_lost(deployed: Deployment, load: Load, kafka: str) -> None:
    """What was acknowledged is in the log, once; the topics hold the log in order; every read model is its fold."""
    print(f"caught up after {await caught_up(deployed):.1f} s")
    lines = await asyncio.to_thread(deployed.rapport, "events", "show", "--json")
    events = [json.loads(line) for line in lines.splitlines()]
    placed = Counter(event["stream"] for event in events if event["type"] == "crm.portal.OrderPlaced")
    assert all(number == 1 for number in placed.values())
    assert {f"order-{order}" for order in load.acknowledged} <= placed.keys()
    result = json.loads(await asyncio.to_thread(deployed.rapport, "verify", "--json"))
    assert result["ok"], result
    assert all(entry["parked"] == 0 for entry in result["projections"])
    for service in ("contacts", "portal"):
        ours = [event for event in events if event["type"].startswith(f"crm.{service}.")]
        records = await published(kafka, topic(service, deployed.prefix))
        positions = defaultdict(list)
        for record in records:
            positions[record.key.decode()].append(int(dict(record.headers)["position"]))
        expected = defaultdict(list)
        for event in ours:
            expected[event["subject"]].append(event["position"])
        assert positions == expected


async def caught_up(deployed: Deployment, seconds: float = 60) -> float:
    """Wait until every read model has what the log holds; the seconds that it took."""
    begun = time.monotonic()
    while any(entry["lag_events"] for entry in await asyncio.to_thread(deployed.answer, "projections", "status")):
        assert time.monotonic() - begun < seconds, deployed.answer("projections", "status")
    return time.monotonic() - begun


async def noticed(deployed: Deployment) -> float:
    """Wait until no process says that it is ready; the seconds that it took."""
    begun = time.monotonic()
    while not all(said := await asyncio.gather(*(asyncio.to_thread(r.ready) for r in deployed.replicas))):
        assert time.monotonic() - begun < NOTICED_SECONDS, said
    return time.monotonic() - begun


async def out_and_back(deployed: Deployment, load: Load, down: Callable[[], None], up: Callable[[], object]) -> None:
    """A server dies under load and comes back."""
    await load.more(20)
    await asyncio.to_thread(down)
    after = await noticed(deployed)
    await asyncio.to_thread(up)
    recovered = await asyncio.to_thread(deployed.wait_ready, RECOVERED_SECONDS)
    print(f"noticed after {after:.1f} s, recovered {recovered:.1f} s after the return, {load.repeated} repeated")
    await load.more(20)


@pytest.mark.long
async def test_each_server_dies_once_and_everything_goes_on_by_itself(
    own_kafka: servers.MavenKafka,
    own_postgres: postgres_server.LocalPostgres,
    rng: random.Random,
    start: Callable[..., Deployment],  # after the servers, so that it ends before them
):
    deployed = start(own_kafka.address, own_postgres.url)
    load = Load(deployed, rng)
    async with load.running():
        await out_and_back(deployed, load, own_kafka.kill, own_kafka.up)
        await out_and_back(deployed, load, deployed.store.kill, deployed.store.up)
        await out_and_back(deployed, load, own_postgres.kill, own_postgres.up)
    await nothing_lost(deployed, load, own_kafka.address)


@pytest.mark.long
async def test_replicas_come_and_go_and_die(
    kafka: str, postgres: str, rng: random.Random, start: Callable[..., Deployment]
):
    deployed = start(kafka, postgres)
    load = Load(deployed, rng)
    portal, analytics = deployed.first["portal"], deployed.first["analytics"]
    async with load.running():
        await load.more(20)
        others = [await asyncio.to_thread(deployed.add, service) for service in ("analytics", "analytics", "portal")]
        await asyncio.to_thread(deployed.wait_ready)
        await load.more(20)
        others[0].kill()
        analytics.process.send_signal(signal.SIGSTOP)
        await load.more(60)
        analytics.process.send_signal(signal.SIGCONT)
        assert await asyncio.to_thread(others[1].stop) < ENDED_SECONDS
        portal.kill()  # it relays and answers; the other one of its service takes over the relay
        await asyncio.to_thread(portal.up)
        await load.more(40)
        await asyncio.to_thread(deployed.wait_ready)
    for replica in (others[2], analytics):
        assert await asyncio.to_thread(replica.stop) < ENDED_SECONDS
    await asyncio.to_thread(analytics.up)
    await asyncio.to_thread(deployed.wait_ready)
    await nothing_lost(deployed, load, kafka)
