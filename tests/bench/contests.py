"""Which contests there are: rows, floors and targets."""

import os
import sys
from pathlib import Path

import history
from rounds import HERE, PEERS, Contest, Row, Side

_DATA = Path(os.environ.get("RAPPORT_TEST_DATA", HERE.parents[2] / "shared" / "data"))
PROTOTYPE = _DATA.parent / "examples" / "perf" / "declared_sums.py"
YEAR = _DATA / "online_retail_2009_2010.csv.gz"
_KAFKA, _PEERS = frozenset({"kafka"}), frozenset({"peers"})
_STORE = "--folder {folder} --store {store} --events {events}"
_TOPIC = "--kafka {kafka} --topic {topic}"
_FEW_TOPIC = "--kafka {kafka} --topic {few_topic}"
_STORED_FEW = "--folder {folder} --store {store} --events 20000"
"""For a peer that needs a millisecond for an event."""
_FEW_OF_TOPIC = "--folder {folder} --kafka {kafka} --topic {few_topic} --events {few_events}"


def checked(known: dict[str, str], events: int) -> list[int]:
    """The figures of both tables over so many events: those of a history of that length, or of the long one's start."""
    stores = [Path(known[name]) for name in ("few_store", "store") if name in known]
    own = next((store for store in stores if store.parent.name == str(events)), stores[-1])
    return history.figures(own, events)


def absent(contest: Contest) -> str:
    """What a contest lacks besides servers and peers."""
    if contest.name == "sums" and not PROTOTYPE.exists():
        return f"{PROTOTYPE} is not there"
    if contest.name == "import" and not YEAR.exists():
        return f"{YEAR} is not there"
    return ""


def _append(clients: int, streams: str) -> list[Side]:
    options = f"--folder {{folder}} --clients {clients} --streams {streams}"
    return [
        Side("ours", "append.py", options),
        Side("eventsourcing", "peers/eventsourcing_append.py", options),
    ]


def _served(name: str, python: object, server: str, options: str = "") -> Side:
    return Side(name, "http_load.py", f"--folder {{folder}} -- {python} {HERE / server} {options}")


CONTESTS = [
    Contest(
        "append-new",
        _append(64, "new"),
        [
            Row("A1", "appends of 64 clients, new streams / eventsourcing", "ours", "eventsourcing", 8, 12),
            Row("A3", "their p99", "ours", "eventsourcing", 0.3, 0.12, of="p99_ms", smaller_is_better=True),
        ],
        needs=_PEERS,
    ),
    Contest(
        "append-known",
        _append(64, "known"),
        [Row("A2", "appends of 64 clients, known streams / eventsourcing", "ours", "eventsourcing", 12, 20)],
        needs=_PEERS,
    ),
    Contest(
        "append-one",
        _append(1, "new"),
        [Row("A4", "appends of one client / eventsourcing", "ours", "eventsourcing", 0.8, 1.0)],
        needs=_PEERS,
    ),
    Contest(
        "append-each",
        [
            Side("ours", "append.py", "--folder {folder} --clients 64 --streams new"),
            Side("one by one", "append.py", "--folder {folder} --clients 1 --streams new"),
        ],
        [
            Row(
                "A5",
                "commits an event, 64 clients / one",
                "ours",
                "one by one",
                1 / 20,
                1 / 48,
                of="commits",
                smaller_is_better=True,
            ),
        ],
        rounds=1,  # a count, which no noise changes
        quick=True,
    ),
    Contest(
        "replay",
        [
            Side("ours", "replay.py", _STORE),
            Side("Pydantic and dicts", "replay_plain.py", _STORE),
        ],
        [Row("B4", "replay in one process / Pydantic and dicts", "ours", "Pydantic and dicts", 3, 5)],
        quick=True,
        checked=checked,
    ),
    Contest(
        "replay-kafka-peers",
        [
            Side("ours", "replay.py", _STORE),
            Side("ours, two processes", "replay.py", _STORE + " --processes 2"),
            Side("Quix, collector off", "peers/quix_catchup.py", _FEW_OF_TOPIC),
            Side("Quix", "peers/quix_catchup.py", _FEW_OF_TOPIC + " --gc on"),
            Side("Bytewax", "peers/bytewax_catchup.py", _FEW_OF_TOPIC),
        ],
        [
            Row("B1", "replay in one process / Quix, collector off", "ours", "Quix, collector off", 7, 10),
            Row("B2", "replay in two processes / Quix", "ours, two processes", "Quix", 12, 20),
            Row("B2", "replay in two processes / Bytewax", "ours, two processes", "Bytewax", 12, 20),
        ],
        needs=_KAFKA | _PEERS,
        checked=checked,
    ),
    Contest(
        "replay-peers",
        [
            Side("ours", "replay.py", _STORE),
            Side("ours, two processes", "replay.py", _STORE + " --processes 2"),
            Side("follower", "peers/eventsourcing_follower.py", _STORED_FEW),
            Side("DuckDB", "peers/duckdb_replay.py", _STORE),
        ],
        [
            Row("B3", "replay in one process / a follower of eventsourcing", "ours", "follower", 50, 100),
            Row("B5", "replay in one process / DuckDB, two threads", "ours", "DuckDB", 0.6, 0.9),
            Row("B5", "replay in two processes / DuckDB, two threads", "ours, two processes", "DuckDB", 1.0, 1.5),
        ],
        needs=_PEERS,
        checked=checked,
    ),
    Contest(
        "sums",
        [
            Side("ours", "replay.py", _STORE + " --family sums"),
            Side("prototype", "prototype_sums.py", _STORE + " --prototype {prototype}"),
            Side("ours, two processes", "replay.py", _STORE + " --family sums --processes 2"),
            Side("prototype, two processes", "prototype_sums.py", _STORE + " --prototype {prototype} --processes 2"),
        ],
        [
            Row("S1", "five sums in one process / the prototype", "ours", "prototype", 0.8, 1.0),
            Row("S2", "the same in two", "ours, two processes", "prototype, two processes", 0.8, 1.0),
        ],
    ),
    Contest(
        "relay",
        [
            Side("ours", "relay.py", "--store {few_store} --kafka {kafka} --events {few_events}"),
            Side("send", "relay_send.py", "--store {few_store} --kafka {kafka} --events {few_events}"),
        ],
        [Row("C1", "transactional relay / aiokafka's send", "ours", "send", 3, 4)],
        needs=_KAFKA,
        quick=True,
    ),
    Contest(
        "consume",
        [
            Side("ours", "consume.py", f"--folder {{folder}} --store {{few_store}} {_FEW_TOPIC} --family count"),
            Side("FastStream", "consume_faststream.py", f"{_FEW_TOPIC} --events 10000"),
            Side("getmany", "consume_getmany.py", f"{_FEW_TOPIC} --events {{few_events}}"),
        ],
        [
            Row("C2", "consumer / FastStream message by message", "ours", "FastStream", 8, 13),
            Row("C3", "consumer / bare getmany(500)", "ours", "getmany", 0.4, 0.6),
        ],
        needs=_KAFKA,
        quick=True,
    ),
    Contest(
        "catch-up",
        [
            Side("ours", "consume.py", f"--folder {{folder}} --store {{store}} {_TOPIC}"),
            Side("two processes", "consume.py", f"--folder {{folder}} --store {{store}} {_TOPIC} --processes 2"),
            Side("by pages of 500", "consume.py", f"--folder {{folder}} --store {{store}} {_TOPIC} --page 500"),
        ],
        [
            Row("K2", "catching up in two processes / one", "two processes", "ours", 1.5, 1.8),
            Row("K3", "catching up / a transaction for each 500", "ours", "by pages of 500", 1.8, 2.5),
        ],
        needs=_KAFKA,
        checked=checked,
    ),
    Contest(
        "catch-up-peers",
        [
            Side("ours", "consume.py", f"--folder {{folder}} --store {{store}} {_TOPIC}"),
            Side("Quix, collector off", "peers/quix_catchup.py", _FEW_OF_TOPIC),
        ],
        [Row("K1", "catching up into a durable read model / Quix", "ours", "Quix, collector off", 2.5, 3.7)],
        needs=_KAFKA | _PEERS,
        checked=checked,
    ),
    Contest(
        "import",
        [
            Side("ours", "import_year.py", "--folder {folder}"),
            Side("alone", "import_alone.py", "--folder {folder}"),
        ],
        [
            Row(
                "I1",
                "time of a year's import, projections at the head / reading and appending alone",
                "ours",
                "alone",
                3,
                2,
                of="seconds",
                smaller_is_better=True,
            ),
        ],
    ),
    Contest(
        "http",
        [
            _served("ours", sys.executable, "http_equal.py"),
            _served("everything on", sys.executable, "http_server.py"),
            _served("eventsourcing", PEERS, "peers/eventsourcing_http.py"),
        ],
        [
            Row("D1", "POST to durable event, 64 connections / FastAPI, eventsourcing", "ours", "eventsourcing", 5, 8),
            Row("D2", "their p99", "ours", "eventsourcing", 0.3, 0.1, of="p99_ms", smaller_is_better=True),
            Row("D1+", "D1 with sign-in, idempotency, sealing on", "everything on", "eventsourcing", 2, 3),
            Row("D2+", "their p99", "everything on", "eventsourcing", 0.5, 0.3, of="p99_ms", smaller_is_better=True),
        ],
        needs=_PEERS,
    ),
    Contest(
        "http-route",
        [
            _served("ours", sys.executable, "http_server.py"),
            _served("standard", sys.executable, "http_server.py", "--route standard"),
        ],
        [Row("D3", "the command route / FastAPI's own", "ours", "standard", 1.4, 1.7)],
        quick=True,
    ),
]
