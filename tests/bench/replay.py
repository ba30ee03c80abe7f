"""Ours: a stored history to finished read models, through the generation's own replay.

The clock runs from an empty file to the committed watermark, with the start of the processes and the checkpoint.
"""

import argparse
import json
from pathlib import Path

import shop
import sums
import timing

from shared.codec import Codec
from shared.keyring import SqliteKeyring
from shared.projections.generation import Generation
from shared.projections.sqlite_home import SqliteHome
from shared.sqlite_scan import SqliteScan

FAMILIES = {"shop": shop, "sums": sums}

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--folder", type=Path, required=True, help="for the read model; empty")
parser.add_argument("--store", type=Path, required=True)
parser.add_argument("--events", type=int, required=True)
parser.add_argument("--processes", type=int, default=1)
parser.add_argument("--family", choices=FAMILIES, default="shop")

if __name__ == "__main__":
    asked = parser.parse_args()
    place = SqliteHome(asked.folder).place("replayed")
    with timing.Timed() as timed:
        generation = Generation(FAMILIES[asked.family].family, 1, place, Codec(SqliteKeyring(asked.folder / "keys.db")))
        generation.replay(SqliteScan(asked.store, 0, asked.events), processes=asked.processes)
        generation.refresh()
    result = timed.result(asked.events)
    result["checksum"] = FAMILIES[asked.family].figures(generation)
    print(json.dumps(result))
