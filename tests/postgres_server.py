"""How the tests find a PostgreSQL: the one that POSTGRES_URL names, Docker's, or one of their own making."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psycopg
import sqlalchemy as sa
from docker.errors import DockerException
from psycopg import sql
from servers import Absent
from testcontainers.community.postgres import PostgresContainer

IMAGE = "postgres:17.10-bookworm"
START_SECONDS = 30


class LocalPostgres:
    """A server of the programs on this machine, to be stopped, killed and started again with its data."""

    def __init__(self, **settings: str) -> None:
        self._programs = _programs()
        # The server refuses to run as root, and the folders of pytest are closed to everybody else.
        self._user = "postgres" if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="rapport-postgres-"))
        if self._user:
            shutil.chown(self.folder, self._user, self._user)
        self._run("initdb", "--auth=trust", "--encoding=UTF8", "--username=postgres", "--no-sync")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._settings = [f"--{name}={value}" for name, value in settings.items()]
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}/postgres"
        self.up()

    def up(self) -> None:
        """Start it with its data, on its old port, and wait until it answers."""
        by = time.monotonic() + START_SECONDS
        self._start()
        while not self._answers():
            if time.monotonic() > by:
                raise AssertionError((self.folder / "server.log").read_text())
            # After a kill it does not start before the last process of the old one has ended.
            if self._process.poll() is not None:
                self._start()

    def down(self) -> None:
        """Stop it cleanly."""
        self._run("pg_ctl", "stop", "--mode=fast", "--wait")
        self._process.wait()

    def kill(self) -> None:
        """Stop it with SIGKILL, all its processes at once."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def pause(self) -> None:
        """Stop it with SIGSTOP: connections stay open, nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def connections(self, application: str) -> int:
        """How many connections have given this name."""
        with psycopg.connect(self.url) as connection:
            asked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
            return connection.execute(asked, (application,)).fetchone()[0]

    def restart(self) -> None:
        """Stop it cleanly and start it again."""
        self.down()
        self.up()

    def remove(self) -> None:
        """Stop it if it runs, and take its data away."""
        if self._process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        parent = self._process.pid
        # A paused parent starts no more children; a killed one could no longer say which it has.
        self._process.send_signal(signal.SIGSTOP)
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=True)
        for pid in (*listed.stdout.split(), parent):
            with suppress(ProcessLookupError):
                os.kill(int(pid), number)

    def _start(self) -> None:
        command = [self._programs / "postgres", "-D", self.folder / "data", "-h", "127.0.0.1", "-p", str(self._port)]
        command += ["-k", self.folder, *self._settings]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, user=self._user, group=self._user, cwd=self.folder, stdout=log, stderr=log
            )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        command = [self._programs / program, *arguments, "--pgdata", self.folder / "data"]
        subprocess.run(command, user=self._user, group=self._user, cwd=self.folder, check=True, capture_output=True)


@contextmanager
def postgres() -> Iterator[str]:
    """Give the URL of a server while the context is open: that of POSTGRES_URL, else Docker's, else a local one's."""
    if given := os.environ.get("POSTGRES_URL"):
        yield given
        return
    try:
        container = PostgresContainer(IMAGE, driver=None)
    except DockerException:
        server = LocalPostgres()
        try:
            yield server.url
        finally:
            server.remove()
        return
    with container:
        yield container.get_connection_url()


@contextmanager
def empty_database(server: str) -> Iterator[str]:
    """Give the URL of a database of one's own on a server while the context is open."""
    name = f"rapport_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _programs() -> Path:
    """The folder of `initdb`, of the newest version that is installed."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = installed[-1] if installed else shutil.which("initdb")
    if found is None:
        raise Absent("no PostgreSQL: set POSTGRES_URL=postgresql://…, start Docker, or install Debian's postgresql")
    return Path(found).resolve().parent
