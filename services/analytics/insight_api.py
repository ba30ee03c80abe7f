"""The JSON API of what analytics makes of purchases: models, value, movements, cohorts, what is due, and why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, TypeVar

from fastapi import Path, Query, Request
from pydantic import BaseModel, Field

from services.analytics import evidence
from services.analytics.explain import Score, explain
from services.analytics.histories import histories
from services.analytics.identity import merges
from services.analytics.kept import kept
from services.analytics.loyalty import Segment
from services.analytics.movement import cohorts, movement, portfolio
from services.analytics.profile import find
from services.analytics.purchase_days import family
from services.analytics.question import Asked
from services.analytics.replenishment import replenishment
from services.analytics.scope import Question, Scope, scope
from services.analytics.scoring import scoring
from shared.clock import date_of, day_number
from shared.errors import Refused
from shared.projections import Snapshot
from shared.service import Platform
from shared.web import guard
from shared.web.guard import may
from shared.web.serving import Here, ask, read

T = TypeVar("T")
router = guard.router(prefix="/api/v1", tags=["analytics"])


class Portfolio(BaseModel):
    """What a base is worth, and how unequally; the value to come under `lifetime`, null without a model."""

    n: int
    total_minor: int = Field(description="Valid orders so far.")
    top20_share: float | None
    gini: float | None
    by_segment: dict[Segment, int] = Field(description="Minor units of valid orders.")
    lifetime: dict[str, Any] | None


class MigrationFound(BaseModel):
    """Where the customers of each segment went between two days."""

    from_: date = Field(serialization_alias="from")
    to: date
    n: int = Field(description="Customers on the first day.")
    matrix: dict[Segment, dict[Segment, int]]
    born: int
    gone: int


class Cohort(BaseModel):
    """The customers of one first month; null is a month not yet over or not reached, which is not nobody."""

    month: str
    size: int
    active: list[int | None]


class DueFound(BaseModel):
    """A customer and a product that is likely to be bought soon."""

    customer: str
    source: str
    product: str
    last: date
    intervals: int
    next_due: date
    window: tuple[date, date]
    chance: float


class Explained(BaseModel):
    """One score of one customer, opened down to its events."""

    score: Score
    value: float | int | str | date | None
    as_of: date
    model: str | None = Field(description='By version; "(ad hoc)" was fitted for this question.')
    definition: str
    inputs: dict[str, Any]
    population: dict[str, Any]
    contributions: list[dict[str, str | float]]
    backtest: dict[str, Any] | None
    events: list[int] = Field(description="Positions, newest first.")
    model_events: list[int] = Field(
        description="Positions of the events that published its models; none of a model fitted for the question."
    )


@router.get("/portfolio")
@may("analyst", "manager", "specialist")
async def portfolio_of_the_base(request: Request, here: Here, question: Asked) -> Portfolio:
    """Show what the base is worth and on how few it rests."""
    return await _kept(request, here, question, lambda db, within: Portfolio(**portfolio(_scored(here, db, within))))


@router.get("/migration")
@may("analyst", "manager", "specialist")
async def migration(
    request: Request,
    question: Asked,
    since: Annotated[date, Query(alias="from", description="The first day.")],
    to: Annotated[date, Query(description="The second day.")],
) -> MigrationFound:
    """Show where the customers of each segment went between two days."""
    first, last = day_number(since), day_number(to)
    if first > last:
        raise Refused("must not be after to", field="from")

    def answer(db: Snapshot) -> MigrationFound:
        moved = movement(histories(db, scope(db, Question(last, question.source, question.currency))), first, last)
        return MigrationFound(
            from_=since,
            to=to,
            n=moved.n,
            matrix={name: dict(row) for name, row in moved.moves.items()},
            born=sum(moved.born.values()),
            gone=sum(moved.gone.values()),
        )

    return await read(request, family, answer)


@router.get("/cohorts")
@may("analyst", "manager", "specialist")
async def retention(request: Request, question: Asked) -> list[Cohort]:
    """Show how many customers of each first month bought again in the months after it."""
    found = await read(request, family, lambda db: cohorts(histories(db, scope(db, question)), question.as_of))
    return [
        Cohort(month=f"{1970 + row.month // 12}-{row.month % 12 + 1:02}", size=row.size, active=list(row.active))
        for row in found.rows
    ]


@router.get("/due")
@may("analyst", "manager", "specialist")
async def due(
    request: Request,
    here: Here,
    question: Asked,
    product: Annotated[str | None, Query(description="Only this product code.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[DueFound]:
    """List who is due to buy which product again, the likeliest first."""
    found = await _kept(request, here, question, replenishment)
    some = [each for each in found.due if product in {None, each.product}]
    return [
        DueFound(
            customer=each.customer.removeprefix("customer-"),
            source=each.source,
            product=each.product,
            last=date_of(each.last),
            intervals=each.intervals,
            next_due=date_of(each.due),
            window=(date_of(each.window[0]), date_of(each.window[1])),
            chance=each.chance,
        )
        for each in some[:limit]
    ]


@router.get("/explain/{score}/{reference}")
@may("analyst", "manager", "specialist")
async def explanation(
    request: Request,
    here: Here,
    question: Asked,
    score: Score,
    reference: Annotated[str, Path(description="An id, or an alias such as cdnow:1516.", max_length=200)],
) -> Explained:
    """Open one score of a customer: definition, inputs, population, parts, backtest, and the events behind it."""

    def answer(db: Snapshot) -> tuple[Any, list[str], str | None]:
        subject = f"customer-{find(db, reference)}"
        within = scope(db, question)
        opened = explain(_scored(here, db, within), subject, score)
        return opened, merges(db).members([subject])[subject], within.only

    found, members, currency = await read(request, family, answer)
    facts = await ask(here, evidence.family, lambda db: evidence.behind(db, members, question.as_of, currency))
    return Explained(
        score=found.score,
        value=found.value,
        as_of=date_of(question.as_of),
        model=found.model,
        definition=found.definition,
        inputs=dict(found.inputs),
        population=dict(found.population),
        contributions=[{"name": name, "points": points} for name, points in found.contributions],
        backtest=None if found.backtest is None else dict(found.backtest),
        events=[fact.position for fact in facts],
        model_events=list(found.model_events),
    )


def _scored(here: Platform, db: Snapshot, within: Scope) -> Any:
    return kept(here.models).renewed(db, scoring, within)


async def _kept(request: Request, here: Platform, question: Question, compute: Callable[[Snapshot, Scope], T]) -> T:
    answers = kept(here.models)
    return await read(request, family, lambda db: answers.get(db, compute, scope(db, question)))
