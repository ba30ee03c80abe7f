"""Histories for tests of read models: events as the store gives them, without a store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid5

from shared.clock import stamp
from shared.codec import Codec
from shared.envelope import NO_STREAM, Draft, Head, Metadata, Recorded, link, pack
from shared.events import Event
from shared.ids import NS
from shared.keyring import SqliteKeyring
from shared.projections import Family
from shared.projections.generation import Generation
from shared.projections.home import Home
from shared.projections.progress import Batch
from shared.projections.sqlite_home import SqliteHome

FIRST = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


class Histories:
    """What happened, one event a minute, and what read models make of it."""

    def __init__(self, folder: Path, home: Home | None = None) -> None:
        self.home: Home = home or SqliteHome(folder)
        self.codec = Codec(SqliteKeyring(folder / "keys.db"))
        self.events: list[Recorded] = []
        self._heads: dict[str, Head] = {}
        self._folds = 0

    def happened(
        self, stream: str, event: Event, *, actor: str = "staff:jdewit", at: datetime | None = None
    ) -> Recorded:
        """Record the next event."""
        position = len(self.events) + 1
        event_id = uuid5(NS, str(position))
        subject = event.subject(stream)
        metadata = Metadata(
            subject=subject,
            actor=actor,
            command_id=str(event_id),
            command_hash="",
            occurred_at=stamp(at or FIRST + timedelta(minutes=position - 1)),
            recorded_at=stamp(FIRST),
        )
        data = self.codec.encode(event, event_id, subject)
        draft = Draft(event_id.bytes, event.type, event.schema_version, subject, data, pack(metadata))
        ((version, _, hash_),) = link(stream, self._heads.get(stream, NO_STREAM), [draft])
        self._heads[stream] = Head(version, hash_)
        self.events.append(Recorded(position, stream, version, *draft, hash_))
        return self.events[-1]

    def fold(self, family: Family, *, page: int = 500, topics: Sequence[str] | None = None) -> Generation:
        """A read model of it all, in pages; with `topics`, one topic after the other as Kafka may deliver them."""
        self._folds += 1
        generation = Generation(family, self._folds, self.home.place(f"{family.name}_{self._folds}"), self.codec)
        for topic in topics or ("",):
            mine = [event for event in self.events if event.type.startswith(topic)]
            for start in range(0, len(mine), page):
                events = mine[start : start + page]
                generation.apply([Batch(topic, 0, events, events[-1].position, start + len(events))])
        generation.refresh()
        assert generation.parked_count() == 0, generation.parked()
        return generation
