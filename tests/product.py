"""The product as its users start it: `rapport` in processes of its own."""

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PURCHASES = ROOT / "deploy" / "demo"
RAPPORT = [sys.executable, "-m", "services"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("RAPPORT_")}


def fewer(file: Path, folder: Path, customers: int) -> Path:
    """The purchases of the first so many customers of a file, and the lines without one that stand between them."""
    cut = folder / f"{customers}-{file.name}"
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines, gzip.open(cut, "wt", encoding="utf-8") as text:
        rows = csv.DictReader(lines)
        writer = csv.DictWriter(text, rows.fieldnames or ())
        writer.writeheader()
        chosen: set[str] = set()
        for row in rows:
            if row["customer_id"] and len(chosen) < customers:
                chosen.add(row["customer_id"])
            if not row["customer_id"] or row["customer_id"] in chosen:
                writer.writerow(row)
    return cut


def run(*arguments: str | Path, cwd: Path, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*RAPPORT, *map(str, arguments)],
        cwd=cwd,
        env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def answer(*arguments: str | Path, cwd: Path) -> Any:
    """The JSON document that a command answers with."""
    done = run(*arguments, "--json", cwd=cwd)
    if done.returncode:
        raise AssertionError(f"rapport {' '.join(map(str, arguments))}: exit {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def start(*arguments: str | Path, cwd: Path) -> subprocess.Popen[str]:
    """Start a command and leave it running."""
    return subprocess.Popen(
        [*RAPPORT, *map(str, arguments)],
        cwd=cwd,
        env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def serving(data: Path, *options: str) -> Iterator[tuple[str, str]]:
    """`rapport up`; gives its address and, on the first run of a folder, the administrator's password."""
    server = start("up", "--data", data, "--port", "0", *options, cwd=data.parent)
    url = password = ""
    first = not (data / "accounts.db").exists()
    try:
        while not url or (first and not password):
            line = server.stdout.readline()
            if not line:
                raise AssertionError(f"rapport up ended: {server.stderr.read()}")
            if line.startswith("http://"):
                url = line.strip().rstrip("/")
            elif "password" in line:
                password = line.split("password ")[1].split()[0]
        yield url, password
    finally:
        server.send_signal(signal.SIGTERM)
        if server.wait(timeout=30) != 0:
            raise AssertionError(f"rapport up ended with {server.returncode}: {server.stderr.read()}")
