"""Real purchases over a real Kafka: the topics hold the log, and a read model fed from them equals the other one."""

import asyncio
import json
import shutil
import subprocess
from collections import defaultdict
from uuid import uuid4

import product
import pytest
from aiokafka import AIOKafkaConsumer

from services.cli import services
from shared.consumer import KafkaFollower
from shared.embedded import opened
from shared.projections.generation import Generation
from shared.projections.sqlite_home import SqlitePlace
from shared.settings import Settings
from shared.topics import topic
from shared.verify import content

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]
NAMES = [service.name for service in services()]


async def consumed(bootstrap, prefix, wanted):
    """Every record of the topics, in the order of their partitions, once `wanted` are there."""
    consumer = AIOKafkaConsumer(
        *(topic(name, prefix) for name in NAMES),
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    records = []
    try:
        async with asyncio.timeout(120):
            while len(records) < wanted:
                for some in (await consumer.getmany(timeout_ms=500)).values():
                    records += some
            for some in (await consumer.getmany(timeout_ms=500)).values():
                records += some
    finally:
        await consumer.stop()
    return records


@pytest.fixture(scope="module")
def relayed(kafka, tmp_path_factory):
    """A folder whose events were relayed while they were imported; its topics' prefix and its events."""
    folder = tmp_path_factory.mktemp("relayed")
    prefix = f"t{uuid4().hex[:8]}."
    product.ENVIRONMENT["RAPPORT_TOPIC_PREFIX"] = prefix
    try:
        with product.serving(folder / "data", "--kafka", kafka):
            cut = product.PURCHASES / "online_retail_cut.csv.gz"
            product.answer("import", "orders", cut, "--format", "online-retail", "--data", folder / "data", cwd=folder)
            done = product.run("events", "show", "--json", "--data", folder / "data", cwd=folder)
            events = [json.loads(line) for line in done.stdout.splitlines()]
            records = asyncio.run(consumed(kafka, prefix, len(events)))
    finally:
        del product.ENVIRONMENT["RAPPORT_TOPIC_PREFIX"]
    return folder / "data", prefix, events, records


def test_the_topics_hold_exactly_the_log_in_order_per_key(relayed):
    _, prefix, events, records = relayed
    by_position = {event["position"]: event for event in events}
    headers = [{name: value.decode() for name, value in record.headers} for record in records]
    assert sorted(int(h["position"]) for h in headers) == sorted(by_position)
    order = defaultdict(list)
    for record, h in zip(records, headers, strict=True):
        event = by_position[int(h["position"])]
        order[record.topic, record.key].append(int(h["position"]))
        assert record.key.decode() == event["subject"] == h["ce_subject"] == h["ce_partitionkey"]
        assert json.loads(record.value) == event["data"]
        assert record.topic == topic(event["type"].split(".")[1], prefix)
        assert (h["ce_id"], h["ce_type"], h["ce_time"]) == (event["id"], event["type"], event["occurred_at"])
        assert h["ce_dataschema"] == f"urn:rapport:{event['type']}:{event['schema']}"
        assert (h["stream"], int(h["version"]), h["hash"]) == (event["stream"], event["version"], event["hash"])
        assert (h["actor"], h["recordedtime"]) == (event["actor"], event["recorded_at"])
    assert all(positions == sorted(positions) for positions in order.values())


def test_any_client_reads_them(relayed, kafka):
    program = shutil.which("kcat")
    if program is None:
        pytest.skip("no kcat on this machine")
    _, prefix, events, _ = relayed
    name = topic("portal", prefix)
    done = subprocess.run(
        [program, "-b", kafka, "-C", "-t", name, "-e", "-q", "-f", "%k|%h\n"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == sum(event["type"].startswith("crm.portal.") for event in events)
    assert all("ce_specversion=1.0" in line and line.startswith("customer-") for line in lines)


async def test_a_generation_fed_from_kafka_equals_the_one_that_followed_the_store(relayed, kafka, tmp_path):
    data, prefix, _, _ = relayed
    async with opened(services(), Settings(data=data)) as embedded:
        platform = embedded.platform
        head = await platform.log.store.position()
        for active in platform.models.generations:
            if active.family.name not in {"rhythm", "directory"}:
                continue
            await platform.models.reached(active.family, head, wait=60)
            place = SqlitePlace(tmp_path / f"{active.family.name}.db")
            candidate = Generation(active.family, 2, place, platform.log.codec)
            applied = asyncio.Event()
            follower = KafkaFollower(
                candidate,
                platform.log.store.id,
                kafka,
                group=f"{prefix}{active.family.name}",
                instance="one",
                prefix=prefix,
                moved=applied.set,
            )
            following = asyncio.create_task(follower.run())
            expected = await asyncio.to_thread(content, active)
            async with asyncio.timeout(120):
                while (
                    found := await asyncio.to_thread(content, candidate)
                ) is None or found.applied < expected.applied:
                    applied.clear()
                    await asyncio.wait(
                        {following, asyncio.ensure_future(applied.wait())}, timeout=1, return_when="FIRST_COMPLETED"
                    )
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            assert found.tables == expected.tables
            assert (found.applied, found.parked) == (expected.applied, expected.parked)
            candidate.close()
