"""Four processes before an event store, Kafka and PostgreSQL come to what one process over a folder comes to."""

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import date
from pathlib import Path
from uuid import UUID

import httpx2
import postgres_server
import product
import pytest
import sqlalchemy as sa
from deployment import Deployment, Replica

from services.analytics import purchase_days
from services.analytics.kept import Kept
from services.analytics.profile import profiles
from services.analytics.scope import Question
from services.cli import services
from shared import postgres
from shared.clock import day_number
from shared.codec import Codec
from shared.embedded import opened
from shared.eventstoredb import EventStoreDB
from shared.postgres_keyring import PostgresKeyring
from shared.projections import ReadModels
from shared.projections.postgres_home import PostgresHome
from shared.projections.tables import Document
from shared.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1_800)]
CUT = product.PURCHASES / "online_retail_cut.csv.gz"
OTHERWISE = {"position", "place", "registered_at", "occurred_at", "told", "actor", "history"}
"""Columns of where and when an event was stored, and by whom: two imports differ in them, and in nothing else."""
CUSTOMERS = ("12748", "17850", "12346", "14911")


class Both:
    """One import into each kind of installation."""

    def __init__(self, folder: Path, deployed: Deployment, database: str, keyring: str) -> None:
        self.data = folder / "data"
        self.deployed = deployed
        self._database = database
        self._keyring = keyring

    def take(self, file: Path) -> None:
        imported = ("import", "orders", file, "--format", "online-retail")
        told = product.answer(*imported, "--data", self.data, cwd=self.data.parent)
        again = self.deployed.answer(*imported)
        for name in ("rows", "accepted", "rejected", "unchanged", "events"):
            assert again[name] == told[name], name

    def ask(self, *arguments: str):
        """What both answer to a command."""
        return (
            product.answer(*arguments, "--data", self.data, cwd=self.data.parent),
            self.deployed.answer(*arguments),
        )

    async def of_embedded(self, question):
        async with opened(services(), Settings(data=self.data)) as running:
            return await asyncio.to_thread(question, running.platform.models)

    async def of_deployed(self, question):
        store = await EventStoreDB.open(self.deployed.store.uri)
        await store.close()
        codec = Codec(PostgresKeyring(postgres.engine(self._keyring)))
        families = [family for service in services() for family in service.families]
        home = PostgresHome(postgres.engine(self._database))
        with closing(ReadModels(home, families, codec, store.id)) as models:
            return await asyncio.to_thread(question, models)


@pytest.fixture(scope="module")
def both(kafka: str, postgres: str, tmp_path_factory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("deployed")
    with ExitStack() as stack:
        database, keyring = (stack.enter_context(postgres_server.empty_database(postgres)) for _ in range(2))
        deployed = Deployment(folder, kafka, database, keyring)
        stack.callback(deployed.close)
        yield Both(folder, deployed, database, keyring)


def tables(models: ReadModels) -> dict[str, tuple[int, str]]:
    """Every table of every family: how many rows, and a checksum over them in the order of their keys."""
    found = {}
    for generation in models.generations:
        with generation.read() as db:
            assert db.settled
            assert db.parked == 0
            for table in generation.family.tables:
                columns = [column for name, column in table.c.columns.items() if name not in OTHERWISE]
                keys = list(table.c.columns.values())[: 1 if isinstance(table, Document) else len(table.key)]
                digest, rows = hashlib.sha256(), 0
                for row in db.execute(sa.select(*columns).order_by(*keys)):
                    digest.update(repr(tuple(row)).encode())
                    rows += 1
                found[f"{generation.family.name}.{table.name}"] = rows, digest.hexdigest()
    return found


def segments(models: ReadModels) -> dict[str, dict[UUID, str]]:
    """Who was in which segment on two days."""
    found = {}
    with models.read(purchase_days.family) as db:
        subjects = db.execute(sa.select(purchase_days.identifiers.c.customer)).scalars()
        customers = [UUID(subject.removeprefix("customer-")) for subject in subjects]
        for day in ("2010-05-31", "2010-11-30"):
            asked = Question(day_number(date.fromisoformat(day)))
            standing = profiles(db, Kept(), customers, asked).items()
            found[day] = {id_: profile.standing.segment.value for id_, profile in standing if profile.standing}
    return found


async def same(both: Both) -> None:
    result = both.deployed.answer("verify")
    assert result["ok"], result
    assert await both.of_deployed(tables) == await both.of_embedded(tables)
    assert await both.of_deployed(segments) == await both.of_embedded(segments)
    with product.serving(both.data):
        for day in ("2010-11-30", "2010-12-09"):
            for question in (("base",), ("rfm",), ("intervals",)):
                embedded, deployed = both.ask("analytics", *question, "--as-of", day)
                assert deployed == embedded, (question, day)
    status = both.deployed.answer("projections", "status")
    assert {entry["family"] for entry in status} == {family.name for each in services() for family in each.families}
    assert all(entry["lag_events"] == 0 and entry["approximate"] for entry in status)


async def test_four_processes_give_the_read_models_of_one(both: Both, tmp_path):
    both.take(product.fewer(CUT, tmp_path, 40))
    await same(both)


@pytest.mark.long
@pytest.mark.data
async def test_four_processes_give_the_read_models_of_one_for_the_whole_year(both: Both, dataset):
    """The figures that are measured of the year hold for the one process: `tests/acceptance/test_online_retail.py`."""
    both.take(dataset("online_retail_2009_2010.csv.gz"))
    await same(both)
    for customer in CUSTOMERS:
        asked = ("analytics", "customer", f"online-retail:{customer}", "--as-of", "2010-12-09")
        embedded, deployed = both.ask(*asked)
        assert deployed == embedded, customer


async def read_by(replica: Replica, token: str, family: str, generation: int) -> None:
    """Wait until a replica reads this generation; each looks for itself."""
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as client, asyncio.timeout(20):
        while True:
            answer = await client.get(f"http://127.0.0.1:{replica.port}/api/v1/projections")
            if {(each["family"], each["generation"]) for each in answer.raise_for_status().json()} >= {
                (family, generation)
            }:
                return
            await asyncio.sleep(0.1)


async def test_a_generation_is_built_from_kafka_and_swapped_under_two_replicas(both: Both):
    deployed = both.deployed
    two = [deployed.first["portal"], deployed.add("portal")]
    deployed.wait_ready()
    built = deployed.answer("replay", "start", "orders", "--origin", "kafka", "--reason", "from the topics")
    assert built["status"] == "ready"
    compared = deployed.answer("replay", "compare", "orders")
    assert compared["equal"], compared["differences"]
    assert compared["rows"][0] > 0
    for act, active in (("swap", built["generation"]), ("rollback", 1)):
        deployed.answer("replay", act, "orders", "--reason", "a trial")
        for replica in two:
            await read_by(replica, deployed.token, "orders", active)
    result = deployed.answer("verify")
    assert result["ok"], result
