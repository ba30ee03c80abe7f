"""Bytewax: the topic to a row of JSON per customer, in one worker, with its own Kafka source; its state is in memory.

What is durable is the SQLite file, to which it writes the rows that a batch of events changed; no recovery store, which
saves it work. The clock runs from the first event handled to the end of the flow.
"""

import argparse
import gc
import json
import sys
from pathlib import Path
from typing import Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
import timing  # noqa: E402, the benchmark's folder has to be found first
from customer_rows import File, Row, folded  # noqa: E402


class ToFile(DynamicSink[tuple[str, Row]]):
    """Writes each customer's last row of a batch."""

    def __init__(self, file: File) -> None:
        self.file = file

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_Part":
        return _Part(self.file)


class _Part(StatelessSinkPartition[tuple[str, Row]]):
    def __init__(self, file: File) -> None:
        self._file = file

    def write_batch(self, items: list[tuple[str, Row]]) -> None:
        self._file.write((key, orjson.dumps(row).decode()) for key, row in dict(items).items())


def main(asked: argparse.Namespace) -> dict[str, Any]:
    """Handle the topic to its end."""
    timed = timing.Timed()
    handled = 0

    def read(message: Any) -> tuple[str, tuple[str, dict[str, Any]]]:
        nonlocal handled
        if not handled:
            timed.__enter__()
        handled += 1
        type_ = next(text.decode() for name, text in message.headers if name == "ce_type")
        return message.key.decode(), (type_, orjson.loads(message.value))

    def fold(row: Row | None, event: tuple[str, dict[str, Any]]) -> tuple[Row, Row]:
        row = folded(row, *event)
        return row, row

    file = File(asked.folder / "customers.db")
    flow = Dataflow("catchup")
    config = {"isolation.level": "read_committed"}
    polled = op.input("poll", flow, KafkaSource([asked.kafka], [asked.topic], tail=False, add_config=config))
    op.output("write", op.stateful_map("fold", op.map("read", polled, read), fold), ToFile(file))
    run_main(flow)
    timed.__exit__(None, None, None)
    assert handled >= asked.events, f"only {handled} of {asked.events} events"
    return timed.result(handled) | {"checksum": file.figures()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="for the rows; empty")
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--events", type=int, required=True, help="as many as the topic has")
    parser.add_argument("--gc", choices=("on", "off"), default="on")
    given = parser.parse_args()
    if given.gc == "off":
        gc.disable()
    print(json.dumps(main(given)))
