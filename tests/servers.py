"""How the tests find what does not ship with the repository: a Kafka broker, a Chromium, the larger data sets."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docker.errors import DockerException
from playwright.sync_api import sync_playwright
from testcontainers.community.kafka import KafkaContainer

REPOSITORY = Path(__file__).resolve().parent.parent
KAFKA_SCRIPT = REPOSITORY / "deploy" / "kafka" / "kafka.sh"


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
