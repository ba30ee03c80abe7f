"""A customer's history: what was known of it at a point in the past, and what changed between two of them.

Nothing is kept for this: the customer's own stream is folded by the document that the directory shows. The day on
which an event counts is the one it happened on. Only what was told when the customer was registered counts from the
first day there is of the customer, which an earlier order may be: that is how long it has been one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from services.contacts import lookup
from services.contacts.customer import customer
from services.contacts.directory import Row, customers
from services.contacts.events import SubjectErased
from services.contacts.identity import identity
from services.contacts.lookup import Card, Touched
from shared.clock import business_day
from shared.decider import Log
from shared.envelope import Recorded
from shared.errors import SubjectIsErased
from shared.past import Past, folded
from shared.projections.identity import Survivor, root

Facts = dict[str, Any]
_PREFIX: Final = f"{customer.category}-"


@dataclass(frozen=True)
class Change:
    """A fact that an event changed; None is what was not known."""

    field: str
    before: Any
    after: Any
    event: Recorded


class _State(NamedTuple):
    """What the documents of the directory say of one customer."""

    row: Row | None
    absorbed: Survivor | None

    @property
    def registered(self) -> Row | None:
        """The customer, once there is one: a fact may be told of a day before its registration."""
        return self.row if self.row is not None and self.row.sort_key else None


_NOTHING: Final = _State(None, None)


@dataclass(frozen=True)
class History:
    """Everything that was recorded of a customer, and when it ordered."""

    id: UUID
    events: Sequence[Recorded]
    touched: Touched
    log: Log

    def since(self) -> int:
        """The first day there is of the customer: of its first order, or of its registration."""
        registered = self._happened(self.events[0])
        return registered if self.touched.first_order is None else min(registered, self.touched.first_order)

    def days(self) -> dict[int, int]:
        """The business day on which each event counts, by position."""
        registration = self.events[0].meta.command_id
        return {
            event.position: self.since() if event.meta.command_id == registration else self._happened(event)
            for event in self.events
        }

    def seen(self, past: Past) -> list[Recorded]:
        """What had happened and was known at a point, in the order of the stream."""
        days = self.days()
        return [event for event in self.events if past.knew(event.position) and past.had(days[event.position])]

    def card(self, past: Past) -> Card | None:
        """The card as it was; None before there was a customer. What is not known by position is left out."""
        row = self._after(_NOTHING, self.seen(past)).registered
        if row is None:
            return None
        return lookup.card(self.id, row, self.touched if past.known_at is None else Touched())

    def changes(self, earlier: Past, later: Past) -> Iterator[Change]:
        """What changed between two points, oldest first; all that changed makes of the earlier facts the later ones.

        Events are added one by one in the order in which they came to count, but folded in the order of the stream:
        a fact that was told late, and was superseded by then, changed nothing.
        """
        days = self.days()
        there = self.seen(earlier)
        known = {event.position for event in there}
        new = [event for event in self.seen(later) if event.position not in known]
        if later.as_of is not None:
            new.sort(key=lambda event: days[event.position])
        state = self._after(_NOTHING, there)
        for event in new:
            late = bool(there) and event.position < there[-1].position
            there = sorted([*there, event], key=lambda each: each.position)
            now = self._after(_NOTHING, there) if late else self._after(state, [event])
            before, after = _facts(state), _facts(now)
            for field in dict.fromkeys((*before, *after)):
                if before.get(field) != after.get(field):
                    yield Change(field, before.get(field), after.get(field), event)
            state = now

    def _after(self, state: _State, events: Sequence[Recorded]) -> _State:
        codec = self.log.codec
        return _State(folded(customers, events, codec, state.row), folded(identity, events, codec, state.absorbed))

    def _happened(self, event: Recorded) -> int:
        return business_day(datetime.fromisoformat(event.meta.occurred_at), self.log.timezone)


def _facts(state: _State) -> Facts:
    """The facts by their names in the API; what is not known is left out."""
    row = state.registered
    if row is None:
        return {}
    said: Facts = {name: getattr(row, name) for name in ("kind", "name", "country", "internal", "address")}
    said["aliases"] = list(row.aliases)
    for point in row.points:
        said[f"contact_points[{point['point']}]"] = {name: point[name] for name in ("channel", "value", "purpose")}
    said["survivor"] = state.absorbed and state.absorbed.survivor.removeprefix(_PREFIX)
    return {name: fact for name, fact in said.items() if fact}


async def history(log: Log, id_: UUID, touched: Touched) -> History | None:
    """The history of a customer, None of one that nobody registered.

    Raises:
        SubjectIsErased: the customer was: what was known before is gone as well.
    """
    events = (await log.store.load(f"{_PREFIX}{id_}")).events
    if any(event.type == SubjectErased.type for event in events):
        raise SubjectIsErased(f"customer {id_} was erased")
    await log.keyring.ready({event.subject for event in events})
    return History(id_, events, touched, log) if events else None


async def survivor(log: Log, id_: UUID, known_at: int) -> UUID:
    """Who counted for a customer as far as was known at a position."""
    subject = following = f"{_PREFIX}{id_}"
    survivors: dict[str, Survivor] = {}
    while following not in survivors:
        events = (await log.store.load(following)).events
        found = folded(identity, (event for event in events if event.position <= known_at), log.codec)
        if found is None:
            break
        survivors[following] = found
        following = found.survivor
    return UUID(root(subject, survivors).removeprefix(_PREFIX))
