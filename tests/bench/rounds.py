"""Running contestants side by side, alternately, and what comes of it: the median of the ratios of each round."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
PEERS = HERE.parents[1] / ".venv-bench" / "bin" / "python"
_SECONDS = 900


class Broken(Exception):
    """A contestant failed, or did other work than it should have."""


@dataclass(frozen=True)
class Side:
    """One contestant: a script of this folder and what it is told. `{names}` stand for what the run knows."""

    name: str
    script: str
    options: str = ""

    @property
    def is_peer(self) -> bool:
        """Whether it runs with the peers' own environment."""
        return self.script.startswith("peers/")


@dataclass(frozen=True)
class Row:
    """One line of the report: a figure of one side over the same figure of another."""

    id: str
    what: str
    ours: str
    theirs: str
    floor: float
    target: float
    of: str = "rate"
    smaller_is_better: bool = False

    def reaches(self, ratio: float, wanted: float) -> bool:
        """Whether a ratio is as good as wanted."""
        return ratio <= wanted if self.smaller_is_better else ratio >= wanted


@dataclass(frozen=True)
class Contest:
    """Sides that do the same work, and the rows that compare them. `checked` gives the checksum of so many events."""

    name: str
    sides: Sequence[Side]
    rows: Sequence[Row]
    needs: frozenset[str] = frozenset()
    rounds: int = 5
    quick: bool = False
    checked: Callable[[dict[str, str], int], list[int]] | None = None


@dataclass
class Outcome:
    """What one row came to, round by round. `slack` is how much of its floor will do."""

    row: Row
    slack: float = 1.0
    ratios: list[float] = field(default_factory=list)
    ours: list[dict[str, Any]] = field(default_factory=list)
    theirs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The median."""
        return median(self.ratios)

    @property
    def holds(self) -> bool:
        """Whether it is at its floor, or as near to it as will do."""
        slack = 1 / self.slack if self.row.smaller_is_better else self.slack
        return self.row.reaches(self.ratio, self.row.floor * slack)


def held(
    contest: Contest, known: dict[str, str], rounds: int, told: Callable[[str], None], *, slack: float = 1.0
) -> list[Outcome]:
    """Hold a contest: each round runs every side once, and the median is that of all rounds.

    A row that is below its floor then gets as many rounds again: other programs disturb a few of them, not most.
    """
    outcomes = [Outcome(row, slack) for row in contest.rows]
    for number in range(2 * rounds):
        if number >= rounds and all(outcome.holds for outcome in outcomes):
            break
        found = {}
        for side in contest.sides:
            told(f"{contest.name}: round {number + 1}, {side.name}")
            found[side.name] = run(side, known)
            _check(contest, side, found[side.name], known)
        _compare(contest, found)
        for outcome in outcomes:
            ours, theirs = found[outcome.row.ours], found[outcome.row.theirs]
            outcome.ratios.append(figure(ours, outcome.row.of) / figure(theirs, outcome.row.of))
            outcome.ours.append(ours)
            outcome.theirs.append(theirs)
    return outcomes


def figure(result: dict[str, Any], name: str) -> float:
    """One figure of a contestant's result; `rate` is events a second, `commits` those per event."""
    if name == "rate":
        return float(result["events"] / result["seconds"])
    if name == "commits":
        return float(result["commits"] / result["events"])
    return float(result[name])


def cpu_of(results: Sequence[dict[str, Any]]) -> float:
    """Microseconds of CPU per event, the median of the rounds."""
    return median(result["cpu"] / result["events"] * 1e6 for result in results)


def run(side: Side, known: dict[str, str]) -> dict[str, Any]:
    """One run of a contestant in a scratch folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="rapport-bench-"))
    try:
        python = str(PEERS) if side.is_peer else sys.executable
        told = [option.format(**known, folder=folder) for option in side.options.split()]
        ended = subprocess.run(
            [python, str(HERE / side.script), *told], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if ended.returncode:
        raise Broken(f"{side.name} ended with {ended.returncode}: {ended.stderr.strip()[-2000:]}")
    result: dict[str, Any] = json.loads(ended.stdout.strip().splitlines()[-1])
    return result


def _compare(contest: Contest, found: dict[str, dict[str, Any]]) -> None:
    """Sides that read the same events came to the same, or this is no comparison."""
    sums: dict[int, list[int]] = {}
    for name, result in found.items():
        if "checksum" in result and sums.setdefault(result["events"], result["checksum"]) != result["checksum"]:
            raise Broken(f"{contest.name}: {name} came to other figures than the sides before it")


def _check(contest: Contest, side: Side, result: dict[str, Any], known: dict[str, str]) -> None:
    if contest.checked is None:
        return
    expected = contest.checked(known, result["events"])
    if result["checksum"] != expected:
        raise Broken(f"{side.name} came to {result['checksum']} over {result['events']} events, not to {expected}")
