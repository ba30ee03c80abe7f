"""A test kit for families: whatever the paging, partitions, repetitions and crashes, the tables come out equal."""

from __future__ import annotations

import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from shared import crashpoints
from shared.codec import Codec
from shared.envelope import NO_STREAM, Draft, Head, Recorded
from shared.errors import RapportError
from shared.projections.family import Family
from shared.projections.generation import Generation
from shared.projections.home import Home
from shared.projections.progress import STORE, Batch
from shared.sqlite_files import open_durable
from shared.sqlite_scan import SqliteScan
from shared.sqlite_store import create
from shared.sqlite_writer import Append, Writer
from shared.verify import Content, content

PAGES: Final = (1, 7, 500)
PARTITIONS: Final = (1, 2, 16)


class Crash(BaseException):
    """The end of a process, as far as a transaction can tell."""


class Kit:
    """Folds one history of one family in every way that may happen, and compares what comes out."""

    def __init__(self, family: Family, history: Sequence[Recorded], codec: Codec, home: Home) -> None:
        self._family = family
        self._history = [event for event in history if event.type in family.types]
        self._codec = codec
        self._home = home
        self._opened = 0
        self.expected = self._fold([self._whole(self._history)])

    def prove(self, seed: int = 0) -> None:
        """Raise AssertionError that names the way in which the tables came out different."""
        for size in PAGES:
            pages = [self._whole(page) for page in _pages(self._history, size)]
            self._same(f"pages of {size}", self._fold(pages))
            self._same(f"pages of {size}, each twice", self._fold([page for page in pages for _ in range(2)]))
        for partitions in PARTITIONS:
            rng = random.Random(seed)  # noqa: S311, a shuffle that a seed repeats
            self._same(f"{partitions} partitions", self._fold(self._shuffled(partitions, rng)))
        for start in (0, len(self._history) // 2):
            self._same(f"a replay from event {start} on", self._replayed(start))
        for place in self._places():
            self._same(f"a crash at {place}", self._crashing(place))

    def _replayed(self, start: int) -> dict[str, tuple[int, str]]:
        before, after = self._history[:start], self._history[start:]
        generation = self._new()
        try:
            if before:
                generation.apply([self._whole(before)])
            with tempfile.TemporaryDirectory(prefix="rapport-kit-") as folder:
                path = Path(folder) / "events.db"
                write_log(path, self._history)
                reached = before[-1].position if before else 0
                generation.replay(SqliteScan(path, reached, after[-1].position if after else reached))
            generation.refresh()
            return _tables(content(generation))
        finally:
            generation.close()

    def _same(self, way: str, found: dict[str, tuple[int, str]]) -> None:
        if found != self.expected:
            different = [name for name in found if found[name] != self.expected[name]]
            raise AssertionError(f"{self._family.name}: {', '.join(different)} come out different with {way}")

    def _whole(self, events: Sequence[Recorded]) -> Batch:
        return Batch(*STORE, events, events[-1].position if events else 0, 0)

    def _shuffled(self, partitions: int, rng: random.Random) -> list[Batch]:
        """Per topic and subject in order, everything else in any order: what Kafka promises."""
        queues: dict[tuple[str, int], list[Recorded]] = defaultdict(list)
        for event in self._history:
            topic = event.type.rpartition(".")[0]
            queues[topic, hash_of(event.subject) % partitions].append(event)
        batches: list[Batch] = []
        while queues:
            topic, partition = rng.choice(sorted(queues))
            queue = queues[topic, partition]
            size = rng.randint(1, 50)
            batches.append(Batch(topic, partition, queue[:size], queue[:size][-1].position, 0))
            del queue[:size]
            if not queue:
                del queues[topic, partition]
        return batches

    def _fold(self, batches: Sequence[Batch]) -> dict[str, tuple[int, str]]:
        generation = self._new()
        try:
            for number, batch in enumerate(batches):
                generation.apply([batch])
                if number % 3 == 0:
                    generation.refresh()
            generation.refresh()
            return _tables(content(generation))
        finally:
            generation.close()

    def _places(self) -> list[str]:
        passed: set[str] = set()
        crashpoints.arm(passed.add)
        try:
            self._fold([self._whole(page) for page in _pages(self._history, 100)])
        finally:
            crashpoints.arm(None)
        return sorted(passed)

    def _crashing(self, place: str) -> dict[str, tuple[int, str]]:
        """Crash at passages 1, 2, 4, 8 … of a place, open the file again, and go on from its watermark."""
        passages = 0

        def crash(name: str) -> None:
            nonlocal passages
            if name == place:
                passages += 1
                # Ever more rarely, or several derived tables could keep each other from ever being refreshed.
                if passages & (passages - 1) == 0:
                    raise Crash

        generation = self._new()
        crashpoints.arm(crash)
        try:
            while True:
                try:
                    self._go_on(generation)
                    return _tables(content(generation))
                except Crash:
                    generation.close()
                    generation = self._open()
        finally:
            crashpoints.arm(None)
            generation.close()

    def _go_on(self, generation: Generation) -> None:
        mark = generation.marks().get(STORE)
        left = [event for event in self._history if mark is None or event.position > mark.position]
        for page in _pages(left, 100):
            generation.apply([self._whole(page)])
        generation.refresh()

    def _new(self) -> Generation:
        self._opened += 1
        return self._open()

    def _open(self) -> Generation:
        return Generation(self._family, 0, self._home.place(f"kit_{self._family.name}_{self._opened}"), self._codec)


def write_log(path: Path, events: Sequence[Recorded]) -> None:
    """Write events to a store's file under the positions that they have; the file is made."""
    db = open_durable(path)
    db.pragma("synchronous", "off")
    create(db)
    writer = Writer(db)
    heads: dict[str, Head] = {}
    for event in events:
        writer.position = event.position - 1
        draft = Draft(event.id, event.type, event.schema, event.subject, event.data, event.metadata)
        (outcome,) = writer.commit([Append(event.stream, heads.get(event.stream, NO_STREAM), [draft])])
        if isinstance(outcome, RapportError):
            raise outcome
        heads[event.stream] = Head(outcome[0].version, outcome[0].hash)
    db.close()


def hash_of(text: str) -> int:
    """A hash that is the same in every process."""
    return sum(text.encode())


def _pages(events: Sequence[Recorded], size: int) -> Iterator[Sequence[Recorded]]:
    for start in range(0, len(events), size):
        yield events[start : start + size]


def _tables(found: Content | None) -> dict[str, tuple[int, str]]:
    if found is None:
        raise AssertionError("the derived tables were not refreshed")
    return found.tables
