"""What every test can ask for; what this machine cannot give skips the test and says why."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import postgres_server
import pytest
import servers
import sqlalchemy as sa
from hypothesis import settings

settings.register_profile("rapport", deadline=None)  # how long an example takes says most of the machine
settings.load_profile("rapport")

LONG = os.environ.get("RAPPORT_LONG") == "1"
LONG_TIMEOUT_SECONDS = 3600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.get_closest_marker("long"):
            continue
        if not LONG:
            item.add_marker(pytest.mark.skip(reason="full counts: `make test-long`"))
        elif not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONG_TIMEOUT_SECONDS))


@pytest.fixture
def rng() -> random.Random:
    """Chance. RAPPORT_SEED=N repeats what a failed test shows as `seed N`."""
    seed = int(os.environ.get("RAPPORT_SEED") or random.randrange(2**32))
    print("seed", seed)
    return random.Random(seed)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a broker that all tests share: each takes topic names of its own."""
    try:
        with servers.kafka(tmp_path_factory.mktemp("kafka")) as address:
            yield address
    except servers.Absent as absent:
        pytest.skip(str(absent))


@pytest.fixture(scope="session")
def eventstoredb() -> Iterator[str]:
    """Address of an event store server that is not empty: each test takes stream names of its own."""
    try:
        with servers.eventstoredb() as uri:
            yield uri
    except servers.Absent as absent:
        pytest.skip(str(absent))


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[servers.MavenKafka]:
    """A running broker that this test may kill."""
    try:
        broker = servers.MavenKafka(tmp_path)
    except servers.Absent as absent:
        pytest.skip(str(absent))
    yield broker
    broker.down()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a server that all tests share: each takes a database of its own."""
    try:
        with postgres_server.postgres() as url:
            yield url
    except servers.Absent as absent:
        pytest.skip(str(absent))


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    """URL of an empty database."""
    with postgres_server.empty_database(postgres) as url:
        yield url


@pytest.fixture
def own_postgres() -> Iterator[postgres_server.LocalPostgres]:
    """A running server that this test may kill."""
    try:
        server = postgres_server.LocalPostgres()
    except servers.Absent as absent:
        pytest.skip(str(absent))
    yield server
    server.remove()


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The program to hand to Playwright as `executable_path`."""
    try:
        return servers.chromium()
    except servers.Absent as absent:
        pytest.skip(str(absent))


@pytest.fixture(scope="session")
def dataset() -> Callable[[str], Path]:
    """Path of a data set by its file name, as in `dataset("cdnow_sample_1of10.csv.gz")`."""

    def find(name: str) -> Path:
        try:
            return servers.dataset(name)
        except servers.Absent as absent:
            pytest.skip(str(absent))

    return find


@pytest.fixture(scope="session")
def postgres_engine(postgres: str) -> Iterator[sa.Engine]:
    """A database whose commits may be lost: what is read back is what matters here, and an fsync takes long."""
    with postgres_server.empty_database(postgres) as url:
        hurried = {"options": "-c synchronous_commit=off"}
        engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"), connect_args=hurried)
        yield engine
        engine.dispose()
