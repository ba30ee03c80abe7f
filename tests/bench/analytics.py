"""Analytics: what a replay of its read models costs, table by table; how fast a card and a million scores are.

Held over the first year of Online Retail. `python tests/bench --analytics` prints it; there is no peer to compare with.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from statistics import median, quantiles

import sqlalchemy as sa
import stages
import timing
from rounds import HERE, Side, run
from stages import STAGES

from services.analytics import evidence, purchase_days, standing
from services.analytics.identity import identifiers
from services.analytics.kept import Kept
from services.analytics.profile import find, profiles
from services.analytics.scope import Question
from shared.clock import day_number
from shared.codec import Codec
from shared.keyring import SqliteKeyring
from shared.memory import collect_rarely
from shared.projections import Derived, Family
from shared.projections.generation import Generation
from shared.projections.sqlite_home import SqliteHome
from shared.sqlite_files import open_reader, scalar
from shared.sqlite_scan import SqliteScan

_LAST_DAY = day_number(date(2010, 12, 9))
_FAMILIES = (purchase_days.family, evidence.family, standing.family)
_ROUNDS = 3
_ALTERNATE_ROUNDS = 7
_CARDS = 500
_SCORE = Side("score", "score.py", "--folder {folder}")


def measured(report: Path | None, told: Callable[[str], None]) -> None:
    """Run all of it and print a line for each figure. GC as the server sets it."""
    collect_rarely()
    with tempfile.TemporaryDirectory(prefix="rapport-bench-") as scratch:
        folder = Path(scratch)
        _imported(folder)
        events = int(scalar(open_reader(folder / "events.db"), "SELECT max(position) FROM events"))
        found = {name: _replayed(folder, [family], events) for name, family in _alone().items()}
        rounds = [{n: _once(folder, _FAMILIES, events, n) for n in (1, 2)} for _ in range(_ALTERNATE_ROUNDS)]
        together = {n: _medians([each[n] for each in rounds]) for n in (1, 2)}
        alone = {stage: sum(row[stage] for row in found.values()) for stage in (*STAGES, "cpu", "seconds")}
        found |= {"one by one": alone, "one pass a family": together[1], "the same, two processes": together[2]}
        for name, row in found.items():
            told(f"replay of {name}: {events / row['seconds']:,.0f} events/s, {_profile(row, events)}")
        told(f"one pass a family / one by one: {alone['cpu'] / together[1]['cpu']:.2f}x less CPU")
        ratios = sorted(each[1]["seconds"] / each[2]["seconds"] for each in rounds)
        told(f"two processes / one: {median(ratios):.2f}x, rounds {ratios[0]:.2f} to {ratios[-1]:.2f}")
        cards = _cards(folder, events)
        told(f"customer card: {median(cards) * 1e3:.1f} ms, p99 {quantiles(cards, n=100)[98] * 1e3:.1f} ms")
    scores = run(_SCORE, {})
    told(f"a million customers: scored in {scores['seconds']:.1f} s, fitted in {scores['fit_seconds']:.1f} s")
    if report:
        report.with_suffix(".json").write_text(json.dumps({"replays": found, "cards": cards, "scores": scores}))


def _profile(row: Mapping[str, float], events: int) -> str:
    spent = ", ".join(f"{stage} {row[stage] / events * 1e6:.1f}" for stage in STAGES)
    return f"{row['cpu'] / events * 1e6:.1f} µs CPU an event: {spent}"


def _imported(folder: Path) -> None:
    data = {name: value for name, value in os.environ.items() if name in {"RAPPORT_TEST_DATA", "PYTHONPATH"}}
    command = [sys.executable, str(HERE / "import_alone.py"), "--folder", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=data)


def _alone() -> dict[str, Family]:
    """A family for each table; a derived one comes with what it is derived of."""
    parts = {}
    for family in _FAMILIES:
        for table in family.tables:
            beneath = (*table.of, table.through) if isinstance(table, Derived) else ()
            parts[f"{family.name}, {table.name}"] = Family("part", version=1, tables=(*filter(None, beneath), table))
    return parts


def _replayed(folder: Path, families: Sequence[Family], events: int) -> dict[str, float]:
    return _medians([_once(folder, families, events) for _ in range(_ROUNDS)])


def _medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: median(row[name] for row in rounds) for name in rounds[0]}


def _once(folder: Path, families: Sequence[Family], events: int, processes: int = 1) -> dict[str, float]:
    with timing.Timed() as timed, stages.watched() as spent:
        for family in families:
            place = SqliteHome(folder / f"{time.time_ns()}").place(family.name)
            generation = Generation(family, 1, place, Codec(SqliteKeyring(folder / "keyring.db")))
            generation.replay(SqliteScan(folder / "events.db", 0, events), processes=processes)
            generation.refresh()
            generation.close()
    rest = timed.cpu - sum(spent.values())
    return {"seconds": timed.seconds, "cpu": timed.cpu, **spent, stages.REST: rest}


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
