"""A deployment on this machine: services as processes of their own, before an event store, Kafka and PostgreSQL."""

import http.client
import json
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import product
import servers
from gateway import free_port, gateway

SERVICES = ("contacts", "interactions", "portal", "analytics")
PATIENCE_SECONDS = 60


class Replica:
    """One process of one service."""

    def __init__(self, service: str, folder: Path, environment: dict[str, str], name: str) -> None:
        self.service = service
        self.port = free_port()
        self.data = folder / name
        self.data.mkdir(exist_ok=True)
        self._environment = environment | {
            "RAPPORT_INSTANCE": name,
            "RAPPORT_DATA": str(self.data),
            "RAPPORT_PORT": str(self.port),
        }
        self.log = folder / f"{name}.log"
        self.up()

    def up(self) -> None:
        """Start it, under its own name again."""
        self.ended = False
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*product.RAPPORT, "serve", self.service],
                cwd=self.data,
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def stop(self) -> float:
        """Stop it with SIGTERM; the seconds that it took."""
        begun = time.monotonic()
        self.ended = True
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        if code:
            raise AssertionError(f"{self.service} ended with {code}: {self.log.read_text()[-3000:]}")
        return time.monotonic() - begun

    def kill(self) -> None:
        """Stop it with SIGKILL."""
        self.ended = True
        self.process.kill()
        self.process.wait()

    def ready(self) -> str | None:
        """None when it is ready, else what it says is wrong."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            text = answer.read().decode()
        except OSError as error:
            return repr(error)
        finally:
            connection.close()
        return None if answer.status == 204 else text


class Deployment:
    """What `docker-compose.yml` starts, as processes; each test has topics, databases and a store of its own."""

    def __init__(self, folder: Path, kafka: str, database: str, keyring: str) -> None:
        self.folder = folder
        self.prefix = f"test-{uuid4().hex[:12]}."
        self._stack = ExitStack()
        self.store = servers.DoubledEventStore(folder)
        self.environment = product.ENVIRONMENT | {
            "PYTHONPATH": str(product.ROOT),
            "RAPPORT_STORE": self.store.uri,
            "RAPPORT_KAFKA": kafka,
            "RAPPORT_DATABASE": database,
            "RAPPORT_KEYRING": keyring,
            "RAPPORT_TOPIC_PREFIX": self.prefix,
        }
        self.replicas: list[Replica] = []
        self._names = iter(range(1_000))
        try:
            self.rapport("database", "upgrade")
            self.first = {service: self.add(service) for service in SERVICES}
            ports = {service: replica.port for service, replica in self.first.items()}
            self.url = self._stack.enter_context(gateway(folder / "gateway", ports))
            self.wait_ready()
            self.token = self._token()
        except BaseException:
            self.close()
            raise

    def add(self, service: str) -> Replica:
        """One more replica of a service."""
        replica = Replica(service, self.folder, self.environment, f"{service}-{next(self._names)}")
        self.replicas.append(replica)
        return replica

    def wait_ready(self, seconds: float = PATIENCE_SECONDS) -> float:
        """Wait until every process that was not ended is ready; the seconds that it took."""
        begun = time.monotonic()
        while wrong := {r.service: said for r in self.replicas if not r.ended and (said := r.ready())}:
            if time.monotonic() - begun > seconds:
                logs = "\n".join(replica.log.read_text()[-2000:] for replica in self.replicas)
                raise AssertionError(f"not ready after {seconds} s: {wrong}\n{logs}")
            time.sleep(0.1)
        return time.monotonic() - begun

    def rapport(self, *arguments: str | Path) -> str:
        """Run a command against the deployment; what it printed."""
        address = {"RAPPORT_URL": self.url, "RAPPORT_TOKEN": self.token} if hasattr(self, "token") else {}
        done = subprocess.run(
            [*product.RAPPORT, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment | address,
            capture_output=True,
            text=True,
            timeout=1_800,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"rapport {arguments}: exit {done.returncode}: {done.stderr}")
        return done.stdout

    def answer(self, *arguments: str | Path) -> Any:
        """The JSON document that a command answers with."""
        return json.loads(self.rapport(*arguments, "--json"))

    def close(self) -> None:
        """End every process."""
        for replica in self.replicas:
            if replica.process.poll() is None:
                replica.process.send_signal(signal.SIGCONT)
                replica.kill()
        self._stack.close()
        self.store.kill()

    def _token(self) -> str:
        local = self.environment | {"RAPPORT_DATA": str(self.replicas[0].data)}
        done = subprocess.run(
            [*product.RAPPORT, "token", "add", "tests", "--role", "admin", "--json"],
            cwd=self.folder,
            env=local,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return str(json.loads(done.stdout)["secret"])
