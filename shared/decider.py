"""Commands in, events out: the one way anything is ever changed."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Final, Generic, Self, TypeVar
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field

from shared.clock import Clock, business_day, stamp, utc_now
from shared.codec import Codec
from shared.envelope import Draft, Head, Metadata, Recorded, pack
from shared.errors import Conflict, Refused, Reused, Stale
from shared.events import Event
from shared.keyring import Keyring, fingerprint
from shared.store import EventStore, History
from shared.values import Instant, Zone

_ATTEMPTS: Final = 10


class Command(BaseModel):
    """What somebody wants to happen. Time comes in with it, so that deciding needs no clock."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    occurred_at: Instant | None = Field(None, description="When it happened, with an offset; now if left out.")
    timezone: Zone | None = Field(None, description="Zone of the business day; the installation's if left out.")

    def stamped(self, now: datetime, timezone: str) -> Self:
        """The command with its time and zone filled in."""
        return self.model_copy(update={"occurred_at": self.occurred_at or now, "timezone": self.timezone or timezone})

    @property
    def moment(self) -> datetime:
        """When it happened; only of a stamped command."""
        if self.occurred_at is None:
            raise Refused("a command has no time before it is stamped", field="occurred_at")
        return self.occurred_at

    @property
    def day(self) -> int:
        """The business day it happened on, in days since 1970-01-01; only of a stamped command."""
        return business_day(self.moment, self.timezone or "UTC")


C = TypeVar("C", bound=Command)
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Decider(Generic[C, S]):
    """Three plain parts: a first state, `decide` and `evolve`. Nothing in it does I/O."""

    category: str
    initial: S
    decide: Callable[[C, S], Sequence[Event]]
    evolve: Callable[[S, Event], S]


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks, and what led to it."""

    actor: str
    command_id: UUID
    correlation_id: UUID | None = None
    causation_id: UUID | None = None
    on_behalf_of: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command led to. `found` says that it had been handled before."""

    events: tuple[Event, ...]
    stream: str
    version: int
    position: int
    subject: str
    found: bool


@dataclass(frozen=True, slots=True)
class Log:
    """What `handle` writes to: the store, the keys, and the installation's clock and zone."""

    store: EventStore
    keyring: Keyring
    codec: Codec
    timezone: str = "UTC"
    clock: Clock = utc_now


async def handle(
    log: Log, decider: Decider[C, S], id_: UUID, command: C, *, context: Context, expected: int | None = None
) -> Outcome:
    """Load, fold, decide, append; the same command id again gives the first answer.

    Raises:
        Refused: the rules of the business say no.
        Reused: the command id came before with other content.
        Stale: `expected` is not the stream's version.
        Conflict: others were faster, ten times in a row.
    """
    stream = f"{decider.category}-{id_}"
    asked = command.model_dump_json().encode()
    for _ in range(_ATTEMPTS):
        history = await log.store.load(stream)
        if history.events:
            await log.keyring.ready({recorded.subject for recorded in history.events})
            if found := _handled_before(log, history, context.command_id, asked):
                return found
        if expected is not None and expected != history.head.version:
            raise Stale(history.head.version)
        now = log.clock()
        stamped = command.stamped(now, log.timezone)
        state = reduce(decider.evolve, map(log.codec.decode, history.events), decider.initial)
        events = decider.decide(stamped, state)
        if not events:
            return _outcome((), history.events[-1:], stream, found=False)
        subjects = [event.subject(stream) for event in events]
        await log.keyring.ready(set(subjects), make=True)
        times = stamp(stamped.moment), stamp(now)
        added = drafts(log, stream, zip(events, subjects, strict=True), times, asked, context)
        try:
            recorded = await log.store.append(stream, history.head, added)
        except Conflict:
            continue
        return _outcome(events, recorded, stream, found=False)
    raise Conflict(f"{stream} is being changed by others; try again")


def _handled_before(log: Log, history: History, command_id: UUID, asked: bytes) -> Outcome | None:
    marker = str(command_id)
    mine = [recorded for recorded in history.events if recorded.meta.command_id == marker]
    if not mine:
        return None
    key = log.keyring.find(mine[0].subject)
    if key is not None and not hmac.compare_digest(mine[0].meta.command_hash, fingerprint(key, asked)):
        raise Reused("this key was used before with other content")
    return _outcome([log.codec.decode(recorded) for recorded in mine], mine, mine[0].stream, found=True)


def _outcome(events: Sequence[Event], recorded: Sequence[Recorded], stream: str, *, found: bool) -> Outcome:
    last = recorded[-1] if recorded else None
    if last is None:
        return Outcome((), stream, Head(-1, b"").version, 0, stream, found)
    return Outcome(tuple(events), stream, last.version, last.position, last.subject, found)


def drafts(
    log: Log, stream: str, about: Iterable[tuple[Event, str]], times: tuple[str, str], asked: bytes, context: Context
) -> list[Draft]:
    """The events with their subjects, as the store takes them; `times` are when they happened and were recorded."""
    occurred_at, recorded_at = times
    command_id = str(context.command_id)
    correlation_id = str(context.correlation_id) if context.correlation_id else command_id
    causation_id = str(context.causation_id) if context.causation_id else None
    made: list[Draft] = []
    for number, (event, subject) in enumerate(about):
        event_id = uuid5(context.command_id, f"{stream}/{number}")
        metadata = Metadata(
            subject=subject,
            actor=context.actor,
            command_id=command_id,
            command_hash=fingerprint(log.keyring.key(subject), asked),
            occurred_at=occurred_at,
            recorded_at=recorded_at,
            correlation_id=correlation_id,
            causation_id=causation_id,
            on_behalf_of=context.on_behalf_of,
            traceparent=context.traceparent,
        )
        data = log.codec.encode(event, event_id, subject)
        made.append(Draft(event_id.bytes, event.type, event.schema_version, subject, data, pack(metadata)))
    return made
