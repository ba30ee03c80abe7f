"""Contestant of D1-D3: connections that post one command after the other, each waiting for its answer.

    python tests/bench/http_load.py --folder DIR [--seconds 4] [--connections 64] -- PYTHON SERVER [OPTION ...]

starts the server, warms it up, loads it, and stops it; GC is off here, whatever the server does. `cpu` is the
server's, read from /proc; `load_cpu` that of this process: where it is near `seconds`, the load was measured.

A server takes `--folder`, prints a line `{"port", "path", "headers"}` when it is ready, and on SIGTERM a last line with
the number of `events` that it stored: every answered command must be among them.
"""

import argparse
import asyncio
import gc
import itertools
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import uvloop

_WARM_SECONDS = 1.0
_CUSTOMERS = 64
_TICK = os.sysconf("SC_CLK_TCK")
_BODY = (
    '{{"customer_id":"00000000-0000-4000-8000-{:012d}","kind":"phone_call","direction":"inbound",'
    '"summary":"Asked when the ordered records arrive; told that they left the warehouse on Monday."}}'
)


class Client(asyncio.Protocol):
    """One connection: as soon as a command is answered it sends the next."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._answer = b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._post()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, ended, body = self._answer.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if not ended or len(body) < int(length):
            return
        self._load.answered(head[9:12] == b"201", self._asked)
        self._answer = b""
        self._post()

    def connection_lost(self, error: Exception | None) -> None:
        self._load.lost = self._load.lost or not self._load.over

    def _post(self) -> None:
        if self._load.over:
            self._transport.close()
            return
        self._asked = time.perf_counter()
        self._transport.write(self._load.request())


class Load:
    """What all connections share: the requests, and what became of them."""

    def __init__(self, path: str, headers: dict[str, str]) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{lines}"
        bodies = [_BODY.format(number) for number in range(_CUSTOMERS)]
        self._requests = [
            (f"{head}Content-Length: {len(body)}\r\nIdempotency-Key: ".encode(), f"\r\n\r\n{body}".encode())
            for body in bodies
        ]
        self._numbers = itertools.count()
        self.over = self.lost = False
        self.acknowledged = self.refused = 0
        self.seconds: list[float] = []

    def request(self) -> bytes:
        """The next command, under a key of its own."""
        number = next(self._numbers)
        before, after = self._requests[number % _CUSTOMERS]
        return b"%sk-%d%s" % (before, number, after)

    def answered(self, accepted: bool, asked: float) -> None:
        """Note an answer and how long it took."""
        self.acknowledged += accepted
        self.refused += not accepted
        self.seconds.append(time.perf_counter() - asked)


def cpu_of(pid: int) -> float:
    """Seconds of user and system time that a process has used, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


async def timed(load: Load, port: int, pid: int, seconds: float, connections: int) -> dict[str, float]:
    """Warm up, then load for `seconds`."""
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Client(load), "127.0.0.1", port)
    await asyncio.sleep(_WARM_SECONDS)
    load.seconds.clear()
    started, cpu, own = time.perf_counter(), cpu_of(pid), time.process_time()
    await asyncio.sleep(seconds)
    took, cpu, own = time.perf_counter() - started, cpu_of(pid) - cpu, time.process_time() - own
    latencies = sorted(load.seconds)
    load.over = True
    await asyncio.sleep(0.2)
    if load.lost or load.refused or not latencies:
        raise SystemExit(f"{load.refused} refused, {load.acknowledged} accepted, connection lost: {load.lost}")
    return {
        "events": len(latencies),
        "seconds": round(took, 4),
        "cpu": round(cpu, 2),
        "load_cpu": round(own, 2),
        "p50_ms": round(latencies[len(latencies) // 2] * 1000, 2),
        "p99_ms": round(latencies[len(latencies) * 99 // 100] * 1000, 2),
    }


def main() -> None:
    """Run the contest's side that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("server", nargs="+")
    options = parser.parse_args()
    gc.disable()
    command = [*options.server, "--folder", str(options.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            ready = json.loads(server.stdout.readline())
            load = Load(ready["path"], ready["headers"])
            result = uvloop.run(timed(load, ready["port"], server.pid, options.seconds, options.connections))
        finally:
            server.send_signal(signal.SIGTERM)
        stored = json.loads(server.stdout.readlines()[-1])["events"]
    if stored < load.acknowledged:
        raise SystemExit(f"{load.acknowledged} commands were answered, but {stored} events are stored")
    print(json.dumps(result | {"stored": stored}))


if __name__ == "__main__":
    main()
