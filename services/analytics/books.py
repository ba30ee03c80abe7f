"""The books of a day: all that its close reads, a book for each currency, and what it then has to say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from services.analytics import registry
from services.analytics.day_close import Said, dues, lapses, moves
from services.analytics.events import CurrencyClosed, DayClosed, ModelFitted, ModelRejected, ScoreRevised
from services.analytics.histories import Histories, histories
from services.analytics.identity import merges
from services.analytics.model_versions import in_use
from services.analytics.refit import BUYING, INTERVALS, model_of, refit
from services.analytics.revising import Earlier, Revised, revisions
from services.analytics.scope import Question, currencies, scope
from services.analytics.stand import Stand, subject_of
from services.analytics.timing import counted
from services.analytics.value import lapse_horizon
from shared.events import Event
from shared.projections import Snapshot


@dataclass(frozen=True)
class Book:
    """One currency on the day of its close.

    Attributes:
        stand: Who stands where at the end of the day.
        said: What the log says of them.
        earlier: What it says of the days before.
        in_use: The models in use, by name.
        judged: The names of those that this close has fitted or rejected already.
        absorbed: Customers who count for others.
    """

    stand: Stand
    said: Said
    earlier: Earlier
    in_use: dict[str, ModelFitted]
    judged: Collection[str]
    absorbed: Collection[str]

    @property
    def models(self) -> tuple[str, ...]:
        """The versions of the models in use."""
        return tuple(sorted(model.version for model in self.in_use.values()))

    def events(self) -> Iterator[Event]:
        """What there is to say of it; the models that it fits are in use from then on."""
        stand = self.stand
        for event in refit(stand.histories, stand.day, stand.currency, dict(self.in_use), self.judged):
            if isinstance(event, ModelFitted):
                self.in_use[event.model] = event
            yield event
        yield from revisions(stand.histories, self.earlier, stand.day, stand.currency)
        yield from moves(stand, self.said, self.absorbed)
        if buying := self.in_use.get(BUYING):
            horizon = lapse_horizon(counted(stand.histories).intervals.median)
            yield from lapses(stand, self.said, model_of(buying), horizon, buying.version)
        if waiting := self.in_use.get(INTERVALS):
            yield from dues(stand, self.said, model_of(waiting), waiting.version)

    def closed(self) -> CurrencyClosed:
        """Its figures once all is said."""
        return self.stand.closed(self.models)


def closing(books: Sequence[Book], day: int, head: int, heard: Sequence[Event]) -> Iterator[Event]:
    """All that is left to say of a day after what was heard of it already, its close last."""
    told = Counter(type(event).__name__ for event in heard)
    for book in books:
        for event in book.events():
            told[type(event).__name__] += 1
            yield event
    currencies = tuple(book.closed() for book in books)
    yield DayClosed(day=day, head=head, currencies=currencies, events=dict(sorted(told.items())))


def opened(purchases: Snapshot, standing: Snapshot, day: int, heard: Sequence[Event]) -> list[Book]:
    """The books of a day, by currency; what was heard of it already counts as said."""
    bought = currencies(purchases, as_of=day)
    absorbed = merges(purchases).into
    every = sorted({*bought, *registry.currencies_said(standing)})
    return [_opened(purchases, standing, currency, day, heard, absorbed) for currency in every]


def _opened(
    purchases: Snapshot,
    standing: Snapshot,
    currency: str,
    day: int,
    heard: Sequence[Event],
    absorbed: Mapping[str, str],
) -> Book:
    mine = [event for event in heard if getattr(event, "currency", None) == currency]
    fitted = {event.model: event for event in mine if isinstance(event, ModelFitted)}
    earlier = registry.earlier(standing, currency, day)
    return Book(
        stand=Stand(day, currency, _histories(purchases, currency, day)),
        said=registry.said(standing, currency).after(mine),
        earlier=replace(earlier, revised=[*earlier.revised, *_revised(mine)]),
        in_use={**in_use(purchases, currency, day), **fitted},
        judged={event.model for event in mine if isinstance(event, ModelFitted | ModelRejected)},
        absorbed=absorbed,
    )


def _revised(events: Sequence[Event]) -> Iterator[Revised]:
    for event in events:
        if isinstance(event, ScoreRevised):
            yield Revised(subject_of(event.customer_id), event.as_of, event.until, event.new)


def _histories(db: Snapshot, currency: str, day: int) -> Histories:
    return histories(db, scope(db, Question(day, None, currency)))
