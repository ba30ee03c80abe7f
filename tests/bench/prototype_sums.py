"""The measured prototype of declared sums over our own store: what `replay.py --family sums` is compared with.

Its page and fold are run as they are; only the names of the event types in its rules become those of the store. It
reads no personal field, keeps no watermark and checks nothing. Two processes take half of the subjects each and write
a file each; they start at the same time and time themselves from the first read on, and the slower one counts.
Its collector is off. Exit code 4 when the prototype is not there.
"""

import argparse
import importlib
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import timing

_REPOSITORY = Path(__file__).parents[2]
_DATA = Path(os.environ.get("RAPPORT_TEST_DATA") or _REPOSITORY.parent / "shared" / "data")
_ABSENT = 4

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--folder", type=Path, required=True, help="for the read model; empty")
parser.add_argument("--store", type=Path, required=True)
parser.add_argument("--events", type=int, required=True, help="all of the store's: the prototype reads no fewer")
parser.add_argument("--processes", type=int, choices=(1, 2), default=1)
parser.add_argument("--prototype", type=Path, default=_DATA.parent / "examples" / "perf", help="its folder")
parser.add_argument("--part", type=int, help="only this part of the subjects: what one of two processes is told")


def loaded(folder: Path) -> ModuleType:
    """The prototype, its rules told what the types are called in our store."""
    sys.dont_write_bytecode = True  # the handbook is only read
    sys.path.insert(0, str(folder))
    prototype = importlib.import_module("declared_sums")
    for table in prototype.SUMS:
        table.rules = [(f"crm.shop.{event}", each, columns) for event, each, columns in table.rules]
    return prototype


def timed_part(asked: argparse.Namespace, prototype: ModuleType, part: int) -> dict[str, Any]:
    """One process's share, with its figures."""
    path = asked.folder / f"prototype-{part}.db"
    with timing.Timed() as timed:
        prototype.run(str(asked.store), str(path), part, asked.processes)
    return timed.result(asked.events) | {"checksum": figures(path, prototype)}


def figures(path: Path, prototype: ModuleType) -> list[int]:
    """Rows and totals of each table of one file, in the order of `sums.figures`."""
    found: list[int] = []
    with closing(sqlite3.connect(path)) as db:
        for table in prototype.SUMS:
            totals = ", ".join(f"sum({name})" for name in table.adds)
            found += map(int, db.execute(f"SELECT count(*), {totals} FROM {table.name}").fetchone())
    return found


def in_two_processes() -> dict[str, Any]:
    """Both halves at once: the slower one's time, the CPU of both, their figures added."""
    commands = [[sys.executable, *sys.argv, "--part", str(part)] for part in range(2)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    printed = [child.communicate()[0] for child in children]
    if any(child.returncode for child in children):
        sys.exit("one of the two processes failed")
    halves = [json.loads(each.splitlines()[-1]) for each in printed]
    worst = {name: max(half[name] for half in halves) for name in ("events", "seconds", "peak_mb")}
    checksum = [sum(both) for both in zip(*(half["checksum"] for half in halves), strict=True)]
    return worst | {"cpu": sum(half["cpu"] for half in halves), "checksum": checksum}


def main() -> int:
    """Run once and print the result."""
    asked = parser.parse_args()
    source = asked.prototype / "declared_sums.py"
    if not source.exists():
        print(f"no prototype at {source}: name its folder with --prototype", file=sys.stderr)
        return _ABSENT
    with closing(sqlite3.connect(f"file:{asked.store}?mode=ro", uri=True)) as db:
        (there,) = db.execute("SELECT max(position) FROM events").fetchone()
        if there != asked.events:
            parser.error(f"the store has {there} events, and the prototype reads them all")
        # while this one is open, none of two that open the file at once finds it locked by the other
        if asked.processes == 1 or asked.part is not None:
            print(json.dumps(timed_part(asked, loaded(asked.prototype), asked.part or 0)))
        else:
            print(json.dumps(in_two_processes()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
