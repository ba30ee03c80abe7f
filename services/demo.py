"""`make demo`: an installation that fills itself with real purchase history, through the commands a user would send.

The purchases are real (deploy/demo/ATTRIBUTION.md); names and contact points are invented, and the pages say so.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import webbrowser
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from babel import Locale
from faker import Faker

from services.commands.output import print_line

PURCHASES: Final = Path(__file__).parent.parent / "deploy" / "demo"
SEED: Final = 1997
_ALSO_CALLED: Final = {"EIRE": "IE", "USA": "US", "RSA": "ZA", "Channel Islands": "JE"}
"""Names of countries in the data that are not the ones of the Unicode tables."""


@dataclass(frozen=True)
class History:
    """One file of purchases."""

    source: str
    file: Path
    customer: str
    organisations: float
    """The share of customers that are organisations."""
    last_day: str


HISTORIES: Final = (
    History("online-retail", PURCHASES / "online_retail_cut.csv.gz", "customer_id", 0.7, "2010-12-09"),
    History("cdnow", PURCHASES / "cdnow_sample_1of10.csv.gz", "customer_id", 0.0, "1998-06-30"),
)


def main() -> int:
    """Serve the demonstration until Ctrl-C, or only fill it with `--fill-only`."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".demo"), help="folder of the installation")
    parser.add_argument("--port", type=int, default=8000, help="port of the pages; a free one when it is taken")
    parser.add_argument("--fill-only", action="store_true", help="fill the folder and end")
    options = parser.parse_args()
    data: Path = options.data
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with serving(data, free_port(options.port)) as (server, url):
        for history in HISTORIES:
            fill(data, history)
        print_line(guide(data, url))
        if options.fill_only:
            return 0
        webbrowser.open(url)
        with contextlib.suppress(KeyboardInterrupt):
            server.wait()
    return 0


@contextlib.contextmanager
def serving(data: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`rapport up` on the folder; gives its process and address, and keeps the password it shows once."""
    command = [sys.executable, "-m", "services", "up", "--data", str(data), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"RAPPORT_DEMO": "1"})  # noqa: S603, our own program
    try:
        yield server, _address(server, data)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def _address(server: subprocess.Popen[str], data: Path) -> str:
    """Read what the server says until it says where it is."""
    output: IO[str] = server.stdout  # type: ignore[assignment]
    url = ""
    for line in output:
        if line.startswith("http://"):
            url = line.strip()
        elif "password" in line:
            secret = data / "sign-in.txt"
            secret.touch(mode=0o600)
            secret.write_text(line.strip() + "\n")
        if url and (data / "sign-in.txt").exists():
            return url
    raise SystemExit(f"the server ended with code {server.wait()}")


def free_port(wanted: int) -> int:
    """The wanted port, or 0 (any) when something listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
    return wanted


def fill(data: Path, history: History) -> None:
    """Give the file's customers invented names, then import their purchases. Filled before, nothing changes."""
    people = data / f"{history.source}-invented-names.csv"
    _invent(history, people)
    _rapport("import", "customers", str(people), "--format", "csv", "--source", history.source, "--data", str(data))
    rejects = data / f"{history.source}.rejects.csv"
    _rapport(
        *("import", "orders", str(history.file), "--format", history.source, "--source", history.source),
        *("--data", str(data), "--rejects", str(rejects)),
    )


def guide(data: Path, url: str) -> str:
    """What to look at."""
    signing_in = (data / "sign-in.txt").read_text().strip()
    retail = HISTORIES[0]
    best = Counter(row[retail.customer] for row in _rows(retail.file) if row[retail.customer]).most_common(1)[0][0]
    return "\n".join(
        (
            "",
            f"Rapport is at {url}",
            f"  {signing_in}",
            "",
            "What to look at",
            f"  the customers      {url}contacts/?as_of={retail.last_day}",
            f"  one of the best    {url}contacts/{retail.source}:{best}?as_of={retail.last_day}",
            *(f"  how loyal they are {url}analytics/?source={each.source}&as_of={each.last_day}" for each in HISTORIES),
            f"  is anything behind {url}operations/",
            "",
            "Purchases are real (CDNOW 1997-98; Online Retail II 2009-10). Names and contact points are invented.",
        )
    )


def _invent(history: History, people: Path) -> None:
    """Write a customers file: the same names for the same customers, every time."""
    faker = Faker(["en_GB", "en_US", "nl_NL", "hr_HR", "de_DE", "fr_FR"])
    countries = {name: code for code, name in Locale("en").territories.items() if code.isalpha()} | _ALSO_CALLED
    found = {row[history.customer].lstrip("0"): row.get("country") for row in _rows(history.file)}
    with people.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("outside_id", "kind", "name", "country", "email", "phone"))
        for number, (outside_id, country) in enumerate(sorted(found.items())):
            if not outside_id:
                continue
            faker.seed_instance(f"{SEED}/{history.source}/{outside_id}")
            organisation = number % 10 < history.organisations * 10
            name = faker.company() if organisation else faker.name()
            mail = f"{'office' if organisation else 'me'}.{outside_id}@{history.source}.example"
            writer.writerow(
                (
                    outside_id,
                    "organisation" if organisation else "individual",
                    name,
                    countries.get(country or "United States", ""),
                    mail,
                    f"+44 20 7946 0{faker.random_int(100, 999)}",
                )
            )


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
        yield from csv.DictReader(text)


def _rapport(*arguments: str) -> None:
    """Run one command of the product; its summary goes to the terminal."""
    done = subprocess.run(  # noqa: S603, our own program
        [sys.executable, "-m", "services", *arguments, "--json"], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.returncode)
    summary: dict[str, Any] = json.loads(done.stdout)
    counts = ", ".join(f"{summary[key]:,} {key}" for key in ("rows", "accepted", "unchanged", "rejected", "events"))
    print_line(f"rapport {' '.join(arguments[:3])}: {counts} in {summary['seconds']} s")


if __name__ == "__main__":
    sys.exit(main())
