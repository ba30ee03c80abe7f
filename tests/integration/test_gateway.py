"""The gateway as it is deployed: a real nginx with the very configuration, before services that say what they got."""

import http.client
import json
import os
import queue
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingUDPServer
from typing import ClassVar

import pytest

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "gateway" / "nginx.conf"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
ADDRESSES = {
    "contacts": "127.0.0.21",
    "interactions": "127.0.0.22",
    "portal": "127.0.0.23",
    "analytics": "127.0.0.24",
    "replica": "127.0.0.25",
}
TEMPORARY = "/tmp/"  # noqa: S108, where the container may write
PATIENCE_SECONDS = 15
MIB = 1024 * 1024
FLOOD_PIECES = 64

pytestmark = pytest.mark.skipif(NGINX is None, reason="no nginx: install Debian's package nginx")


class Names(BaseRequestHandler):
    """Answers as Docker's own name service does: what it says may be kept for ten minutes."""

    table: ClassVar[dict[str, list[str]]] = {}

    def handle(self) -> None:
        query, sender = self.request
        end = query.index(b"\0", 12)
        labels, at = [], 12
        while at < end:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        addresses = self.table.get(".".join(labels), [])
        flags = 0x8180 if addresses else 0x8183
        answer = query[:2] + struct.pack(">5H", flags, 1, len(addresses), 0, 0) + query[12 : end + 5]
        for address in addresses:
            answer += struct.pack(">HHHIH", 0xC00C, 1, 1, 600, 4) + socket.inet_aton(address)
        sender.sendto(answer, self.client_address)


class Told(BaseHTTPRequestHandler):
    """A service that answers with what it was asked; `…/break`, `…/stream` and `…/flood` behave as their names say."""

    protocol_version = "HTTP/1.1"
    go_on: ClassVar[threading.Event]
    asked: ClassVar[Counter]
    held_back: ClassVar[queue.Queue]

    def do_GET(self) -> None:
        self.asked[self.path] += 1
        if self.path.endswith("/break"):
            self.close_connection = True
        elif self.path.endswith("/stream"):
            self.stream()
        elif self.path.endswith("/flood"):
            self.flood()
        else:
            self.tell()

    def do_POST(self) -> None:
        self.do_GET()

    def tell(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        told = {
            "server": self.server.server_address[0],
            "path": self.path,
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
            "bytes": len(self.rfile.read(length)),
        }
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b'8\r\n{"n":1}\n\r\n')
        self.go_on.wait(PATIENCE_SECONDS)
        self.wfile.write(b'8\r\n{"n":2}\n\r\n0\r\n\r\n')

    def flood(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(FLOOD_PIECES * MIB))
        self.end_headers()
        self.connection.settimeout(1)
        try:
            for _ in range(FLOOD_PIECES):
                self.wfile.write(bytes(MIB))
        except TimeoutError:
            self.held_back.put("held back")
        else:
            self.held_back.put("all taken")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Gateway:
    """A running gateway, its services, and the names by which it finds them."""

    def __init__(self, port: int, servers: dict[str, ThreadingHTTPServer]) -> None:
        self.port = port
        self._servers = servers

    def connected(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)

    def ask(self, path: str, method: str = "GET", **options) -> tuple[int, str]:
        connection = self.connected()
        try:
            connection.request(method, path, **options)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def told(self, path: str, method: str = "GET", **options) -> dict:
        status, body = self.ask(path, method, **options)
        assert status == 200, body
        return json.loads(body)

    def stop(self, service: str) -> None:
        self._servers[service].shutdown()
        self._servers[service].server_close()

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    Told.go_on, Told.asked, Told.held_back = threading.Event(), Counter(), queue.Queue()
    Names.table = {name: [address] for name, address in ADDRESSES.items() if name != "replica"}
    with ExitStack() as stack:
        names = stack.enter_context(served(ThreadingUDPServer(("127.0.0.1", 0), Names)))
        port = free_port()
        servers = {
            name: stack.enter_context(served(ThreadingHTTPServer((address, port), Told)))
            for name, address in ADDRESSES.items()
        }
        public = free_port()
        configuration = written(
            tmp_path,
            {
                TEMPORARY: f"{tmp_path}/",
                "listen 8080;": f"listen 127.0.0.1:{public};",
                "resolver 127.0.0.11 ": f"resolver 127.0.0.1:{names.server_address[1]} ",
                ":8000;": f":{port};",
            },
        )
        stack.enter_context(nginx(configuration, public))
        yield Gateway(public, servers)
        Told.go_on.set()


@contextmanager
def served(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def nginx(configuration: Path, port: int) -> Iterator[None]:
    said = configuration.with_suffix(".log")
    command = [NGINX, "-e", "stderr", "-c", configuration, "-g", "daemon off; master_process off;"]
    with said.open("w") as log:
        process = subprocess.Popen(command, stderr=log)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not answers(port):
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def answers(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def written(folder: Path, changes: dict[str, str]) -> Path:
    text = CONFIGURATION.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(text)
    return folder / "nginx.conf"


def test_nginx_takes_the_configuration_where_no_service_has_a_name_yet(tmp_path):
    configuration = written(tmp_path, {TEMPORARY: f"{tmp_path}/"})
    done = subprocess.run(
        [NGINX, "-t", "-e", "stderr", "-c", configuration], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/contacts/api/v1/customers?q=a", "contacts"),
        ("/interactions/", "interactions"),
        ("/interactions/api/v1/interactions?customer=1&after=x", "interactions"),
        ("/portal", "portal"),
        ("/portal/api/v1/orders/import", "portal"),
        ("/analytics?as_of=2010-11-30", "analytics"),
        ("/analytics/customers/a%2Fb%20c?source=%C3%A9", "analytics"),
        ("/analyticsx", "contacts"),
        ("/", "contacts"),
        ("/api/v1/events?follow=true", "contacts"),
        ("/static/rapport.css", "contacts"),
    ],
)
def test_a_path_reaches_its_service_as_it_was_sent(gateway, path, service):
    told = gateway.told(path)
    assert (told["server"], told["path"]) == (ADDRESSES[service], path)


def test_the_service_sees_the_host_that_the_browser_sees_and_every_header_that_counts(gateway):
    sent = {
        "Host": "rapport.example:8443",
        "Origin": "http://rapport.example:8443",
        "Sec-Fetch-Site": "same-origin",
        "Idempotency-Key": "once",
        "If-Match": '"3"',
        "Authorization": "Bearer secret",
        "Cookie": "rapport_session=1",
        "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    headers = gateway.told("/portal/api/v1/orders", "POST", body=b"{}", headers=sent)["headers"]
    arrived = dict(headers)
    assert {name: arrived.get(name.lower()) for name in sent} == sent
    assert [name for name, _ in headers].count("host") == 1


def test_what_a_client_says_of_its_own_address_is_dropped(gateway):
    lies = {
        "Forwarded": "for=192.0.2.1",
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Host": "elsewhere.example",
        "X-Forwarded-Proto": "https",
        "X-Real-IP": "192.0.2.1",
    }
    arrived = dict(gateway.told("/contacts/", headers=lies)["headers"])
    assert {name.lower() for name in lies} & set(arrived) == set()


def test_a_body_of_unknown_length_arrives_whole_with_its_length(gateway):
    told = gateway.told("/contacts/", "POST", body=iter([b"a" * 70_000, b"b" * 30_000]), encode_chunked=True)
    headers = dict(told["headers"])
    assert told["bytes"] == 100_000
    assert headers["content-length"] == "100000"
    assert "transfer-encoding" not in headers


def test_the_service_itself_refuses_an_import_that_is_too_long_and_never_sees_a_far_longer_one(gateway):
    a_little_longer = 16 * MIB + 1
    assert gateway.told("/portal/api/v1/orders/import", "POST", body=bytes(a_little_longer))["bytes"] == a_little_longer
    connection = gateway.connected()
    connection.putrequest("POST", "/portal/too-long")
    connection.putheader("Content-Length", str(17 * MIB + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
    assert Told.asked["/portal/too-long"] == 0


def test_a_line_of_a_stream_arrives_before_the_next_is_written(gateway):
    connection = gateway.connected()
    connection.request("GET", "/api/v1/events/stream")
    answer = connection.getresponse()
    assert json.loads(answer.readline()) == {"n": 1}
    assert not Told.go_on.is_set()
    Told.go_on.set()
    assert json.loads(answer.readline()) == {"n": 2}
    assert answer.read() == b""
    connection.close()


def test_a_slow_reader_holds_back_the_service_instead_of_filling_the_gateway(gateway):
    connection = gateway.connected()
    connection.request("GET", "/api/v1/flood")
    assert Told.held_back.get(timeout=PATIENCE_SECONDS) == "held back"
    connection.close()


def test_a_service_that_is_away_takes_only_its_own_paths_with_it(gateway):
    gateway.stop("analytics")
    status, body = gateway.ask("/analytics/api/v1/rfm")
    assert status == 502
    assert body == "This part of Rapport is not reachable now. Try again in a moment.\n"
    for service in ("contacts", "interactions", "portal"):
        assert gateway.told(f"/{service}/")["server"] == ADDRESSES[service]


def test_a_service_without_a_container_is_away_too(gateway):
    del Names.table["portal"]
    assert gateway.ask("/portal/")[0] == 502
    assert gateway.told("/contacts/")["server"] == ADDRESSES["contacts"]


def test_a_request_is_sent_once_even_if_there_is_another_replica(gateway):
    Names.table["analytics"] = [ADDRESSES["analytics"], ADDRESSES["replica"]]
    for method in ("GET", "POST"):
        Told.asked.clear()
        assert gateway.ask("/analytics/break", method)[0] == 502
        assert Told.asked["/analytics/break"] == 1


def test_a_container_with_a_new_address_is_found_while_the_gateway_runs(gateway):
    assert gateway.told("/analytics/")["server"] == ADDRESSES["analytics"]
    Names.table["analytics"] = [ADDRESSES["replica"]]
    gateway.until(lambda: gateway.told("/analytics/")["server"] == ADDRESSES["replica"])


def test_replicas_share_the_requests(gateway):
    Names.table["analytics"] = [ADDRESSES["analytics"], ADDRESSES["replica"]]
    servers = {gateway.told("/analytics/")["server"] for _ in range(60)}
    assert servers == {ADDRESSES["analytics"], ADDRESSES["replica"]}
