"""Quix Streams: the topic to a row of JSON per customer, with its own state in RocksDB, at its default settings.

No changelog topics, which saves it as much work again; at-least-once; a checkpoint every five seconds writes the rows
that changed to SQLite, then its state, then the group's offsets. The clock runs from the first event handled, when its
first fetches are there already, to the end of the last checkpoint.
"""

import argparse
import gc
import json
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
from quixstreams import Application
from quixstreams.sinks.base import BatchingSink, SinkBatch
from quixstreams.state import State

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
import timing  # noqa: E402, the benchmark's folder has to be found first
from customer_rows import File, Row, folded  # noqa: E402


class ToFile(BatchingSink):
    """Writes each customer's last row."""

    def __init__(self, file: File) -> None:
        super().__init__()
        self._file = file

    def write(self, batch: SinkBatch) -> None:
        last = {item.key: item.value for item in batch}
        self._file.write((key, orjson.dumps(row).decode()) for key, row in last.items())


def main(asked: argparse.Namespace) -> dict[str, Any]:
    """Handle so many events."""
    timed = timing.Timed()
    handled = 0

    def fold(data: dict[str, Any], key: str, timestamp: int, headers: Any, state: State) -> Row:
        nonlocal handled
        if not handled:
            timed.__enter__()
        handled += 1
        type_ = next(text.decode() for name, text in headers if name == "ce_type")
        row = folded(state.get("row"), type_, data)
        state.set("row", row)
        return row

    app = Application(
        asked.kafka,
        consumer_group=f"bench-{uuid4().hex[:12]}",
        auto_offset_reset="earliest",
        state_dir=asked.folder / "state",
        use_changelog_topics=False,
        auto_create_topics=False,
        consumer_extra_config={"isolation.level": "read_committed"},
        loglevel="ERROR",
    )
    file = File(asked.folder / "customers.db")
    frame = app.dataframe(app.topic(asked.topic, key_deserializer="str", value_deserializer="json"))
    frame.apply(fold, stateful=True, metadata=True).sink(ToFile(file))
    app.run(count=asked.events)
    timed.__exit__(None, None, None)
    return timed.result(handled) | {"checksum": file.figures()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="for state and rows; empty")
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--events", type=int, required=True, help="as many as the topic has")
    parser.add_argument("--gc", choices=("on", "off"), default="off")
    given = parser.parse_args()
    if given.gc == "off":
        gc.disable()
    print(json.dumps(main(given)))
