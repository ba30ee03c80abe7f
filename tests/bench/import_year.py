"""Ours: the first year of Online Retail through `rapport import`, into an empty folder, until every projection has it.

The clock is the command's own: from the first row until the read models are at the head. GC as the product sets it.
"""

import json
import subprocess
import sys

import timing
from import_alone import arguments, checksum
from rounds import HERE

if __name__ == "__main__":
    asked = arguments(__doc__)
    data = asked.folder / "data"
    command = ["import", "orders", str(asked.file), "--format", "online-retail", "--data", str(data), "--json"]
    with timing.Timed() as timed:
        ended = subprocess.run(
            [sys.executable, "-m", "services", *command],
            cwd=asked.folder,
            env={"PATH": "", "PYTHONPATH": str(HERE.parents[1])},
            stdout=subprocess.PIPE,
            check=True,
        )
    done = json.loads(ended.stdout)
    print(
        json.dumps(
            {**timed.result(done["events"]), "seconds": done["seconds"], "checksum": checksum(data / "events.db")}
        )
    )
