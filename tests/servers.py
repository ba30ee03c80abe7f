"""How the tests find what does not ship with the repository: servers, a Chromium, the larger data sets."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from docker.errors import DockerException
from playwright.sync_api import sync_playwright
from testcontainers.community.kafka import KafkaContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

REPOSITORY = Path(__file__).resolve().parent.parent
KAFKA_SCRIPT = REPOSITORY / "deploy" / "kafka" / "kafka.sh"
EVENT_STORE_IMAGE = "docker.kurrent.io/kurrent-lts/kurrentdb:26.0.3"
EVENT_STORE_PORT = 2113
EVENT_STORE_DOUBLE = REPOSITORY / "tests" / "esdb_double.py"


class Absent(Exception):
    """What a test needs cannot be had on this machine; the text says what would help."""


class MavenKafka:
    """A broker of one's own, so that a test may stop it, kill it and start it again with its data."""

    def __init__(self, folder: Path) -> None:
        if not (shutil.which("java") and shutil.which("mvn")):
            raise Absent("no Kafka: set KAFKA_BOOTSTRAP=HOST:PORT, start Docker, or install Java 17 and Maven")
        self.folder = folder
        self.address = self.up()

    def up(self) -> str:
        """Start it again with its data, on its old port, and return HOST:PORT."""
        return self._run("up")

    def down(self) -> None:
        """Stop it cleanly."""
        self._run("down")

    def kill(self) -> None:
        """Stop it with SIGKILL."""
        self._run("kill")

    def _run(self, verb: str) -> str:
        done = subprocess.run([KAFKA_SCRIPT, verb, self.folder], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Absent(done.stderr.strip())
        return done.stdout.strip()


class DockerKafka:
    """A broker in a container, for machines with Docker."""

    def __init__(self) -> None:
        self._container = KafkaContainer().with_kraft()
        self._container.with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
        self._container.with_env("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1")
        self._container.with_env("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1")
        self._container.start()
        self.address = self._container.get_bootstrap_server()

    def down(self) -> None:
        """Remove the container."""
        self._container.stop()


@contextmanager
def kafka(folder: Path) -> Iterator[str]:
    """Give HOST:PORT of a broker while the context is open: that of KAFKA_BOOTSTRAP, else Docker's, else Maven's."""
    if given := os.environ.get("KAFKA_BOOTSTRAP"):
        yield given
        return
    try:
        broker: DockerKafka | MavenKafka = DockerKafka()
    except DockerException:
        broker = MavenKafka(folder)
    try:
        yield broker.address
    finally:
        broker.down()


class DoubledEventStore:
    """The double of an event store in a process of its own, to be stopped, killed and started again with its data."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "eventstoredb.log"
        self._port = 0
        self.uri = self.up()

    def up(self) -> str:
        """Start it with its data, on its old port, and return its address."""
        command = [sys.executable, EVENT_STORE_DOUBLE, "--port", str(self._port), "--file", self._file]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        uri = self._process.stdout.readline().strip()
        self._port = urlsplit(uri).port
        return uri

    def tell(self, line: str) -> None:
        """Have it fail in one of the ways that `Double.obey` knows."""
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def pause(self) -> None:
        """Stop it with SIGSTOP: connections stay open, nothing answers."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Stop it with SIGKILL."""
        self._end(signal.SIGKILL)

    def down(self) -> None:
        """Stop it cleanly."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        self._process.send_signal(how)
        self._process.send_signal(signal.SIGCONT)
        self._process.communicate()


@contextmanager
def eventstoredb() -> Iterator[str]:
    """Give the address of an event store while the context is open: that of EVENTSTOREDB_URI, else Docker's."""
    if given := os.environ.get("EVENTSTOREDB_URI"):
        yield given
        return
    try:
        container = DockerContainer(EVENT_STORE_IMAGE)
    except DockerException:
        raise Absent("no EventStoreDB: set EVENTSTOREDB_URI=esdb://…, or start Docker") from None
    container.with_exposed_ports(EVENT_STORE_PORT)
    for name in ("INSECURE", "MEM_DB"):
        container.with_env(f"KURRENTDB_{name}", "true")
    alive = HttpWaitStrategy(EVENT_STORE_PORT, "/health/live").for_status_code_matching(lambda code: 200 <= code < 300)
    with container.waiting_for(alive):
        yield f"esdb://{container.get_container_host_ip()}:{container.get_exposed_port(EVENT_STORE_PORT)}?Tls=false"


def chromium() -> Path:
    """Find a Chromium: the variable CHROMIUM, else the system's, else the one that Playwright installed."""
    for candidate in _chromium_candidates():
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    raise Absent("no Chromium: set CHROMIUM=PATH, install Debian's package, or run `playwright install chromium`")


def _chromium_candidates() -> Iterator[str | None]:
    yield os.environ.get("CHROMIUM")
    yield "/usr/bin/chromium"
    with sync_playwright() as playwright:
        yield playwright.chromium.executable_path


def dataset(name: str) -> Path:
    """Find a data set that does not ship, in RAPPORT_TEST_DATA or in shared/data beside the repository."""
    folder = Path(os.environ.get("RAPPORT_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
    if not (folder / name).is_file():
        raise Absent(f"no data set {name} in {folder}: set RAPPORT_TEST_DATA=FOLDER")
    return folder / name
