"""One real sample of every event shape ever written, as it was stored.

`python tests/contract/golden_events.py FOLDER` takes the missing ones from an installation's data folder (one that
holds invented people only: a sample carries its subject's key) and writes the fingerprints of the families.
"""

import asyncio
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shared.codec import Codec
from shared.envelope import Recorded, chained
from shared.keyring import SqliteKeyring
from shared.service import Service
from shared.sqlite_store import SqliteStore

FOLDER = Path(__file__).parent.parent / "golden"
HOW = "python tests/contract/golden_events.py FOLDER"
_BYTES = ("id", "hash")
_TEXTS = ("data", "metadata")


class OneKey:
    """The keyring of one sample."""

    def __init__(self, key: str | None) -> None:
        self._key = bytes.fromhex(key) if key else None

    def key(self, subject: str) -> bytes:
        raise AssertionError(f"a golden sample is only read, not written for {subject}")

    def find(self, subject: str) -> bytes | None:
        return self._key

    def destroy(self, subject: str) -> None:
        self._key = None

    def destroyed(self) -> frozenset[str]:
        return frozenset()


def path(type_: str, version: int) -> Path:
    return FOLDER / f"{type_}.v{version}.json"


def load(file: Path) -> tuple[Recorded, Codec, dict[str, Any]]:
    """The event as stored, a codec that has its key, and what it read as when it was recorded."""
    sample = json.loads(file.read_text(encoding="utf-8"))
    stored = sample["recorded"]
    stored |= {name: bytes.fromhex(stored[name]) for name in _BYTES}
    stored |= {name: stored[name].encode() for name in _TEXTS}
    return Recorded(**stored), Codec(OneKey(sample["key"])), sample["reads_as"]


def holds(recorded: Recorded, file: Path) -> bool:
    """Whether the stored hash is the one of the stored bytes."""
    previous = bytes.fromhex(json.loads(file.read_text(encoding="utf-8"))["previous_hash"])
    return recorded.hash == chained(previous, recorded.stream, recorded.version, recorded)


async def record(folder: Path) -> list[Path]:
    """Write the samples that are missing."""
    keyring = SqliteKeyring(folder / "keyring.db")
    codec = Codec(keyring)
    store = SqliteStore(folder / "events.db", writable=False)
    made = []
    async for page in store.pages(0):
        for event in page.events:
            file = path(event.type, event.schema)
            if file.exists():
                continue
            history = (await store.load(event.stream)).events
            previous = history[event.version - 1].hash if event.version else bytes(32)
            key = keyring.find(event.subject)
            stored = event._asdict() | {"id": event.id.hex(), "hash": event.hash.hex()}
            stored |= {name: getattr(event, name).decode() for name in _TEXTS}
            sample = {
                "recorded": stored,
                "previous_hash": previous.hex(),
                "key": key.hex() if key else None,
                "reads_as": json.loads(codec.decode(event).model_dump_json()),
            }
            file.write_text(json.dumps(sample, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            made.append(file)
    await store.close()
    return made


def write_fingerprints(services: Iterable[Service]) -> None:
    """Remember what each version of each family holds."""
    file = FOLDER / "fingerprints.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    for family in (family for service in services for family in service.families):
        known.setdefault(family.name, {})[str(family.version)] = family.fingerprint()
    file.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    from services.cli import services

    everything = services()
    FOLDER.mkdir(exist_ok=True)
    for sample_file in asyncio.run(record(Path(sys.argv[1]))):
        sys.stdout.write(f"{sample_file}\n")
    write_fingerprints(everything)
