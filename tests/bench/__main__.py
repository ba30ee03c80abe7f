"""The benchmarks: `python tests/bench` holds every contest, `--quick` those against the naive versions in here.

Sides run alternately on the same machine in the same run, so that what disturbs one disturbs the other. A row is the
median over its rounds of ours / theirs; the exit code is 1 when one is below its floor.
"""

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import analytics
import contests
import growth
import history
import topic
from rich.console import Console
from rich.table import Table
from rounds import PEERS, Broken, Contest, Outcome, cpu_of, figure, held

_EVENTS, _QUICK_EVENTS = 1_000_000, 200_000
_FEW = 200_000
"""Events in a topic of its own, for those who take long over a million."""
_QUICK_ROUNDS = 2
_QUICK_SLACK = 0.9
"""Three rounds on a machine that others use too scatter by so much; a change that costs more is found all the same."""

parser = argparse.ArgumentParser(prog="python tests/bench", description=__doc__)
parser.add_argument("--quick", action="store_true", help="no peers, two rounds, a fifth of the events")
parser.add_argument("--only", default="", help="rows or contests to hold, with commas between: A1,K3")
parser.add_argument("--rounds", type=int, default=0, help="instead of each contest's own number")
parser.add_argument("--events", type=int, default=0, help="how long the history is that is replayed")
parser.add_argument("--growth", action="store_true", help="time and memory at 100 thousand, 1 and 10 million events")
parser.add_argument("--analytics", action="store_true", help="replays of analytics, a card, a million scores")
parser.add_argument("--data", type=Path, default=Path("build/bench"), help="where histories are kept")
parser.add_argument("--report", type=Path, help="write the table here, as Markdown, and all figures beside it as JSON")


def main() -> int:
    """Hold the contests that are asked for and can be held."""
    asked = parser.parse_args()
    console = Console(width=160)
    if asked.analytics:
        analytics.measured(asked.report, console.print)
        return 0
    if asked.growth:
        growth.measured(asked.data, asked.report, console.print)
        return 0
    events = asked.events or (_QUICK_EVENTS if asked.quick else _EVENTS)
    # a short history of few customers: as many events of each as in the long one
    data, customers = (asked.data / "quick", events // 10) if asked.quick else (asked.data, history.CUSTOMERS)
    known = {
        "events": str(events),
        "store": str(history.store_of(data, events, customers)),
        "prototype": str(contests.PROTOTYPE.parent),
    }
    few = min(events, _FEW)
    known |= {"few_events": str(few), "few_store": str(history.store_of(data, few, customers))}
    known["kafka"] = os.environ.get("KAFKA_BOOTSTRAP", "")
    slack = _QUICK_SLACK if asked.quick else 1.0
    outcomes: list[Outcome] = []
    broken = False
    for contest in contests.CONTESTS:
        if not _wanted(contest, asked.only, quick=asked.quick):
            continue
        if missing := _missing(contest, known):
            console.print(f"[yellow]{contest.name}: left out, {missing}[/]")
            continue
        rounds = asked.rounds or (min(_QUICK_ROUNDS, contest.rounds) if asked.quick else contest.rounds)
        with console.status(contest.name) as status:
            try:
                outcomes += held(contest, _prepared(contest, known), rounds, status.update, slack=slack)
            except Broken as error:
                console.print(f"[red]{contest.name}: {error}[/]")
                broken = True
    console.print(_table(outcomes))
    if asked.report:
        _write(asked.report, outcomes)
    return 1 if broken or not all(outcome.holds for outcome in outcomes) else 0


def _prepared(contest: Contest, known: dict[str, str]) -> dict[str, str]:
    """What its sides are told; a topic is filled when the first contest needs it."""
    if "kafka" in contest.needs and "topic" not in known:
        known["topic"] = topic.filled(Path(known["store"]), known["kafka"])
        known["few_topic"] = topic.filled(Path(known["few_store"]), known["kafka"])
    return known


def _wanted(contest: Contest, only: str, *, quick: bool) -> bool:
    names = {contest.name, *(row.id for row in contest.rows)}
    return bool(names & set(only.split(","))) if only else contest.quick or not quick


def _missing(contest: Contest, known: dict[str, str]) -> str:
    if "kafka" in contest.needs and not known["kafka"]:
        return "no broker: set KAFKA_BOOTSTRAP"
    if "peers" in contest.needs and not PEERS.exists():
        return "no peers: make bench installs them"
    return contests.absent(contest)


def _table(outcomes: list[Outcome]) -> Table:
    table = Table(title="Ours over theirs, the median of the rounds")
    for name in ("row", "what", "ratio", "rounds", "floor", "target", "ours", "theirs", "CPU ours", "CPU theirs"):
        table.add_column(name)
    for outcome in outcomes:
        colour = "green" if outcome.row.reaches(outcome.ratio, outcome.row.target) else "yellow"
        table.add_row(*_cells(outcome), style=colour if outcome.holds else "red")
    return table


def _cells(outcome: Outcome) -> list[str]:
    row = outcome.row
    compared = "≤" if row.smaller_is_better else "≥"
    middle = len(outcome.ratios) // 2
    sides = [sorted(figure(result, row.of) for result in results)[middle] for results in (outcome.ours, outcome.theirs)]
    return [
        row.id,
        row.what,
        f"{outcome.ratio:.2f}x",
        f"{min(outcome.ratios):.2f} to {max(outcome.ratios):.2f} ({len(outcome.ratios)})",
        f"{compared} {row.floor:g}",
        f"{compared} {row.target:g}",
        *(f"{value:,.0f}/s" if row.of == "rate" else f"{value:.3g}" for value in sides),
        *(f"{cpu_of(results):.1f} µs" for results in (outcome.ours, outcome.theirs)),
    ]


def _write(path: Path, outcomes: list[Outcome]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    heads = ["row", "ours / theirs", "ratio", "rounds", "floor", "target", "ours", "theirs", "CPU ours", "CPU theirs"]
    lines = [f"{datetime.now(UTC):%Y-%m-%d}, {_machine()}: `python {' '.join(sys.argv)}`", ""]
    lines += ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    lines += ["| " + " | ".join(_cells(outcome)) + " |" for outcome in outcomes]
    path.write_text("\n".join(lines) + "\n")
    figures = {
        outcome.row.id: {"ratios": outcome.ratios, "ours": outcome.ours, "theirs": outcome.theirs}
        for outcome in outcomes
    }
    path.with_suffix(".json").write_text(json.dumps(figures, indent=1))


def _machine() -> str:
    processors = Path("/proc/cpuinfo")
    models = processors.read_text().splitlines() if processors.exists() else []
    model = next((line.partition(":")[2].strip() for line in models if line.startswith("model name")), "")
    return f"{os.cpu_count()} cores of {model or platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    started = time.monotonic()
    code = main()
    print(f"{time.monotonic() - started:.0f} s")
    sys.exit(code)
