"""Analytics: what a replay of its read models costs, table by table; how fast a card and a million scores are.

Held over the first year of Online Retail. `python tests/bench --analytics` prints it; there is no peer to compare with.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import median, quantiles

import sqlalchemy as sa
import timing
from rounds import HERE, Side, run

from services.analytics import evidence, purchase_days, standing
from services.analytics.identity import identifiers
from services.analytics.kept import Kept
from services.analytics.profile import find, profiles
from services.analytics.scope import Question
from shared.clock import day_number
from shared.codec import Codec
from shared.keyring import SqliteKeyring
from shared.projections import Derived, Family
from shared.projections.generation import Generation
from shared.projections.sqlite_home import SqliteHome
from shared.sqlite_files import open_reader, scalar
from shared.sqlite_scan import SqliteScan

_LAST_DAY = day_number(date(2010, 12, 9))
_ROUNDS = 3
_CARDS = 500
_SCORE = Side("score", "score.py", "--folder {folder}")


def measured(report: Path | None, told: Callable[[str], None]) -> None:
    """Run all of it and print a line for each figure."""
    with tempfile.TemporaryDirectory(prefix="rapport-bench-") as scratch:
        folder = Path(scratch)
        _imported(folder)
        events = int(scalar(open_reader(folder / "events.db"), "SELECT max(position) FROM events"))
        found = {name: _replayed(folder, family, events) for name, family in _families().items()}
        whole = found["rhythm"]["cpu"]
        for name, row in found.items():
            share = f", {row['cpu'] / whole:.0%} of rhythm" if name.startswith("rhythm, ") else ""
            rate = f"{events / row['seconds']:,.0f} events/s, {row['cpu'] / events * 1e6:.1f} µs CPU an event"
            told(f"replay of {name}: {rate}{share}")
        cards = _cards(folder, events)
        told(f"customer card: {median(cards) * 1e3:.1f} ms, p99 {quantiles(cards, n=100)[98] * 1e3:.1f} ms")
    scores = run(_SCORE, {})
    told(f"a million customers: scored in {scores['seconds']:.1f} s, fitted in {scores['fit_seconds']:.1f} s")
    if report:
        report.with_suffix(".json").write_text(json.dumps({"replays": found, "cards": cards, "scores": scores}))


def _imported(folder: Path) -> None:
    data = {name: value for name, value in os.environ.items() if name in {"RAPPORT_TEST_DATA", "PYTHONPATH"}}
    command = [sys.executable, str(HERE / "import_alone.py"), "--folder", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=data)


def _families() -> dict[str, Family]:
    """The families, and the parts of the largest: a derived table comes with what it is derived of."""
    rhythm = purchase_days.family
    parts = {}
    for table in rhythm.tables:
        beneath = (*table.of, table.through) if isinstance(table, Derived) else ()
        parts[f"rhythm, {table.name}"] = Family("part", version=1, tables=(*filter(None, beneath), table))
    return {"rhythm": rhythm, "evidence": evidence.family, "standing": standing.family, **parts}


def _replayed(folder: Path, family: Family, events: int) -> dict[str, float]:
    rounds = []
    for number in range(_ROUNDS):
        place = SqliteHome(folder / f"{time.time_ns()}-{number}").place(family.name)
        with timing.Timed() as timed:
            generation = Generation(family, 1, place, Codec(SqliteKeyring(folder / "keyring.db")))
            generation.replay(SqliteScan(folder / "events.db", 0, events))
            generation.refresh()
        generation.close()
        rounds.append({"seconds": timed.seconds, "cpu": timed.cpu})
    return {name: median(row[name] for row in rounds) for name in ("seconds", "cpu")}


def _cards(folder: Path, events: int) -> list[float]:
    """How long the profile of each of some customers takes, ranked among all, the first one included."""
    place = SqliteHome(folder / "cards").place("rhythm")
    generation = Generation(purchase_days.family, 1, place, Codec(SqliteKeyring(folder / "keyring.db")))
    generation.replay(SqliteScan(folder / "events.db", 0, events))
    generation.refresh()
    answers, took = Kept(), []
    with generation.read() as db:
        names = db.execute(sa.select(identifiers.c.outside_id).limit(_CARDS)).scalars().all()
    for name in names:
        started = time.perf_counter()
        with generation.read() as db:
            customer = find(db, f"online-retail:{name}")
            profiles(db, answers, [customer], Question(_LAST_DAY))
        took.append(time.perf_counter() - started)
    generation.close()
    return took
