"""The log of one store copied into another, event by event in the order of positions, and proved to be the same.

Only the positions differ. An interrupted copy leaves a prefix of the source behind, and the next one goes on there.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from shared.backoff import Backoff
from shared.chain import Chain
from shared.crashpoints import crashpoint
from shared.envelope import NO_STREAM, Draft, Head, Recorded
from shared.errors import CannotMove, Conflict, StoreFailed, UnreadableEvent
from shared.store import EventStore

_RUN_EVENTS: Final = 200
_RUN_BYTES: Final = 512 * 1024
"""An event store takes 1 MiB in one append, the frames around the events included."""
_EVERY: Final = 500
"""Events between two reports of progress."""
_ATTEMPTS: Final = 8
_LONGEST_PAUSE: Final = 2.0

Steps = AsyncGenerator[int, None]
"""Gives now and then how many events are done in this run."""


class Pair(NamedTuple):
    """The source, and the store that it is moved to."""

    source: EventStore
    target: EventStore


@dataclass
class Survey:
    """What is there: `events` up to `head` in the source, of which the target holds `standing` already."""

    events: int = 0
    head: int = 0
    standing: int = 0
    copied_to: int = 0
    """The source's position of the last event that the target holds."""
    heads: dict[str, Head] = field(default_factory=dict)
    """Where the streams end that the target holds."""

    @property
    def missing(self) -> int:
        """How many events the target does not hold yet."""
        return self.events - self.standing


async def survey(logs: Pair, found: Survey) -> Steps:
    """Read the source, check its chain, and see that the target holds the beginning of it or nothing.

    Raises:
        CannotMove: the source is damaged, or the target holds other events.
    """
    chain = Chain()
    async with _both(logs) as (ours, theirs):
        there = await _next(theirs)
        async for event in ours:
            chain.check(event)
            if chain.first_bad is not None:
                raise CannotMove(f"the folder's log is damaged at position {event.position}: see `rapport verify`")
            found.events, found.head = chain.events, chain.head
            if there is not None:
                if there.id != event.id:
                    raise CannotMove(f"the target holds other events than the folder: {_places(event, there)}")
                found.standing, found.copied_to = chain.events, chain.head
                found.heads[event.stream] = Head(event.version, event.hash)
                there = await _next(theirs)
            if found.events % _EVERY == 0:
                yield found.events
        if there is not None:
            raise CannotMove(f"the target goes on behind the folder's end: it has {_named(there)}, so it is in use")


async def copy(logs: Pair, found: Survey) -> Steps:
    """Append what the target does not hold yet, in the order of the source.

    Raises:
        CannotMove: somebody else writes to the target, or has changed it.
        StoreFailed: the target does not answer; what it holds is a prefix.
    """
    done = reported = 0
    async for run in _runs(logs.source, found.copied_to):
        stream, last = run[0].stream, run[-1]
        try:
            stands = await _appended(logs.target, stream, found.heads.get(stream, NO_STREAM), run)
        except (Conflict, UnreadableEvent) as error:
            raise CannotMove(f"somebody else writes to the target, or has changed it: {error}") from None
        if [event.hash for event in stands] != [event.hash for event in run]:
            raise CannotMove(f"the target has other hashes for {stream} than the folder, up to version {last.version}")
        crashpoint("moving.appended")
        found.heads[stream] = Head(last.version, last.hash)
        done += len(run)
        if done - reported >= _EVERY:
            reported = done
            yield done


class Proof:
    """What both logs came to, read side by side. `ok` says that they are equal and that the chain holds."""

    def __init__(self, wanted: Collection[int] = ()) -> None:
        self.difference: str | None = None
        self.mapped = dict.fromkeys(wanted, 0)
        """The target's position for each of the wanted ones of the source: of the last event up to there."""
        self._chain = Chain()
        self._digest = hashlib.sha256()

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return self.difference is None

    @property
    def events(self) -> int:
        """How many events the target holds."""
        return self._chain.events

    @property
    def streams(self) -> int:
        """In how many streams."""
        return self._chain.streams

    @property
    def head(self) -> int:
        """The target's position of the last one."""
        return self._chain.head

    @property
    def checksum(self) -> str:
        """SHA-256 over the hashes of all events that the target holds, in order."""
        return self._digest.hexdigest()

    def take(self, ours: Recorded | None, theirs: Recorded) -> None:
        """Compare the next event of both."""
        self._chain.check(theirs)
        self._digest.update(theirs.hash)
        if ours is None:
            self.differs(f"the target goes on behind the folder's end: it has {_named(theirs)}")
            return
        if ours[1:] != theirs[1:]:
            names = [name for name in Recorded._fields[1:] if getattr(ours, name) != getattr(theirs, name)]
            self.differs(f"{', '.join(names)} differ: {_places(ours, theirs)}")
        if self._chain.first_bad is not None:
            self.differs(f"the target's hash chain breaks at position {theirs.position}")
        for wanted in self.mapped:
            if ours.position <= wanted:
                self.mapped[wanted] = theirs.position

    def differs(self, how: str) -> None:
        """Keep the first difference."""
        self.difference = self.difference or how


async def prove(logs: Pair, proof: Proof) -> Steps:
    """Read everything back from the target and compare it with the source."""
    async with _both(logs) as (ours, theirs):
        try:
            async for event in theirs:
                proof.take(await anext(ours, None), event)
                if proof.events % _EVERY == 0:
                    yield proof.events
        except UnreadableEvent as error:
            proof.differs(str(error))
        missing = await anext(ours, None)
        if missing is not None:
            proof.differs(f"the target ends before the folder's {_named(missing)}")


@asynccontextmanager
async def _both(logs: Pair) -> AsyncIterator[tuple[AsyncGenerator[Recorded, None], AsyncGenerator[Recorded, None]]]:
    async with aclosing(_events(logs.source)) as ours, aclosing(_events(logs.target)) as theirs:
        yield ours, theirs


async def _events(store: EventStore, after: int = 0) -> AsyncGenerator[Recorded, None]:
    async for page in store.pages(after):
        for event in page.events:
            yield event


async def _runs(source: EventStore, after: int) -> AsyncGenerator[list[Recorded], None]:
    """Neighbours in the log of one stream, as many as one append takes."""
    run: list[Recorded] = []
    size = 0
    async for event in _events(source, after):
        size += len(event.data) + len(event.metadata)
        if run and (event.stream != run[0].stream or len(run) == _RUN_EVENTS or size > _RUN_BYTES):
            yield run
            run, size = [], len(event.data) + len(event.metadata)
        run.append(event)
    if run:
        yield run


async def _appended(target: EventStore, stream: str, head: Head, run: Sequence[Recorded]) -> list[Recorded]:
    """Append under the ids that the events have, again and again where the target did not say what became of it."""
    drafts = [Draft(event.id, event.type, event.schema, event.subject, event.data, event.metadata) for event in run]
    backoff = Backoff(_LONGEST_PAUSE)
    for _ in range(_ATTEMPTS - 1):
        try:
            return await target.append(stream, head, drafts)
        except StoreFailed:
            await backoff.pause()
    return await target.append(stream, head, drafts)


async def _next(theirs: AsyncGenerator[Recorded, None]) -> Recorded | None:
    try:
        return await anext(theirs, None)
    except UnreadableEvent as error:
        raise CannotMove(f"the target holds what the folder does not: {error}") from None


def _places(ours: Recorded, theirs: Recorded) -> str:
    return f"{_named(ours)} in the folder, {_named(theirs)} in the target"


def _named(event: Recorded) -> str:
    return f"{event.type} {event.uuid} at position {event.position}"
