"""The JSON API of analytics: exact figures as of a business day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Request
from pydantic import BaseModel, Field

from services.analytics import base as bases
from services.analytics import evidence
from services.analytics.base import Base
from services.analytics.kept import kept
from services.analytics.known import known
from services.analytics.loyalty import Letter, Segment
from services.analytics.population import population
from services.analytics.profile import Profile, check_currency, check_source, find, profile, referred
from services.analytics.purchase_days import family
from services.analytics.question import Asked
from services.analytics.regularity import regularity
from services.analytics.rhythm import Rhythm
from services.analytics.scope import Question, scope
from services.analytics.scoring import Scoring, scoring
from services.analytics.value import LAPSES
from shared.clock import date_of
from shared.projections import Snapshot
from shared.web import guard
from shared.web.guard import may
from shared.web.past import KnownAt
from shared.web.serving import Here, read

router = guard.router(prefix="/api/v1", tags=["analytics"])

Scores = Annotated[list[int], Field(description="Customers with score 1 to 5.", min_length=5, max_length=5)]


class Expected(BaseModel):
    """When a customer's next purchase is due; with `own` false it is what the base suggests, for want of own data."""

    own: bool
    day: date
    earliest: date = Field(description="Nine of ten come no earlier.")
    latest: date = Field(description="Nine of ten come no later.")
    overdue: bool
    shorter: float = Field(description="The chance that an interval would have ended by now.")


class Customer(BaseModel):
    """Rhythm and standing of one customer; lengths in days, what is undefined is null."""

    customer: UUID
    as_of: date
    currency: str | None
    orders: int
    x: int = Field(description="Purchase days after the first.")
    t_x: int | None = Field(description="Days from the first to the last purchase.")
    T: int | None = Field(description="Days from the first purchase to the day of the question.")
    mean: float | None
    median: float | None
    sd: float | None
    next_due: date | None = Field(description="The last purchase day plus the median interval.")
    r: int | None
    f: int | None
    m: int | None
    segment: Segment | None
    last: date | None
    gross_minor: int
    net_minor: int = Field(description="After refunds and credit notes.")
    regularity: float | None = Field(None, description="About 1 at random; null below five intervals.")
    due: Expected | None = Field(None, description="The next purchase by the timing of the base; null without one.")
    index: float | None = Field(None, description="Behavioural loyalty, 0 to 100.")
    active: float | None = Field(None, description="Chance of a purchase within `horizon` days; null without a model.")
    horizon: int | None = None
    lapse: str | None = Field(None, description="The risk of none: high, medium or low.")
    expected: float | None = Field(None, description="Purchase days to expect within `horizon` days.")
    value_minor: int | None = Field(None, description="Revenue to expect in a year, discounted.")
    model: str | None = Field(None, description="What active, lapse, expected and value were made with.")
    known_at: int | None = Field(
        None,
        description="The position up to which the log counted. Scores and forecasts are null then: they hold a"
        " customer against all others, which are not kept by what was known of them.",
    )


class Rfm(BaseModel):
    """How a population spreads over scores and segments."""

    n: int
    r: Scores
    f: Scores
    m: Scores
    segments: dict[Segment, int]
    cuts: dict[Letter, list[int | None]] = Field(
        description="What scores 1 to 5 take: r at most so many days, f at least so many, m at least so much."
    )


@router.get("/base")
@may("analyst", "manager", "specialist")
async def base(request: Request, question: Asked) -> Base:
    """Count what all figures stand on."""
    return await read(request, family, lambda db: bases.base(db, scope(db, question)))


@router.get("/customers/{reference}")
@may("analyst", "manager", "specialist")
async def customer(
    request: Request,
    here: Here,
    question: Asked,
    reference: Annotated[str, Path(description="An id, or an alias such as cdnow:1516.", max_length=200)],
    known_at: KnownAt,
) -> Customer:
    """Show the rhythm and the standing of one customer; with `known_at` the rhythm as far as it was known by then."""
    if known_at is not None:
        return await _known(request, reference, question, known_at)
    answers = kept(here.models)

    def answer(db: Snapshot) -> Customer:
        found = profile(db, answers, find(db, reference), question)
        within = scope(db, replace(question, currency=question.currency or found.currency))
        return _customer(found, answers.renewed(db, scoring, within))

    return await read(request, family, answer)


@router.get("/rfm")
@may("analyst", "manager", "specialist")
async def rfm(request: Request, here: Here, question: Asked) -> Rfm:
    """Count the customers by score and by segment."""
    answers = kept(here.models)
    found = await read(request, family, lambda db: answers.get(db, population, scope(db, question)))
    ranking = found.ranking
    return Rfm(
        n=ranking.n,
        r=list(ranking.r.counts),
        f=list(ranking.f.counts),
        m=list(ranking.m.counts),
        segments=dict(found.customers),
        cuts=ranking.cuts,
    )


async def _known(request: Request, reference: str, question: Question, position: int) -> Customer:
    def asked(db: Snapshot) -> UUID:
        found = referred(db, reference)
        check_source(db, found, question)
        return found

    customer = await read(request, family, asked)
    seen = await read(request, evidence.family, lambda db: known(db, customer, question, position))
    check_currency(seen.profile, question)
    return _customer(seen.profile, None).model_copy(update={"known_at": position})


def _customer(found: Profile, scored: Scoring | None) -> Customer:
    rhythm, standing = found.rhythm, found.standing
    place = None if scored is None else scored.place.get(f"customer-{found.customer}")
    return Customer(
        customer=found.customer,
        as_of=date_of(rhythm.as_of),
        currency=found.currency,
        orders=rhythm.orders,
        x=rhythm.x,
        t_x=rhythm.t_x,
        T=rhythm.T,
        mean=rhythm.mean,
        median=rhythm.median,
        sd=rhythm.sd,
        next_due=_date(rhythm.next_due),
        r=standing.r if standing else None,
        f=standing.f if standing else None,
        m=standing.m if standing else None,
        segment=standing.segment if standing else None,
        last=_date(rhythm.last),
        gross_minor=found.gross,
        net_minor=found.net,
        **({} if scored is None or place is None else _scores(scored, place, rhythm)),
    )


def _scores(scored: Scoring, place: int, rhythm: Rhythm) -> dict[str, Any]:
    waiting, k = scored.waiting, scored.timing.wheat_k
    even = regularity(rhythm.intervals, k or 1)
    due = None
    if waiting is not None and rhythm.last is not None:
        told = waiting.due(rhythm.last, rhythm.x, rhythm.t_x or 0, scored.as_of)
        days = {name: date_of(getattr(told, name)) for name in ("day", "earliest", "latest")}
        due = Expected(own=told.own, overdue=told.overdue, shorter=told.shorter, **days)
    scores: dict[str, Any] = {
        "regularity": None if even is None else even.k,
        "due": due,
        "index": float(scored.index.total[place]),
    }
    if scored.active is None or scored.expected is None or scored.lapse is None:
        return scores
    return scores | {
        "active": float(scored.active[place]),
        "horizon": scored.horizon,
        "lapse": LAPSES[scored.lapse[place]].value,
        "expected": float(scored.expected[place]),
        "value_minor": None if scored.value is None else round(float(scored.value[place])),
        "model": scored.model_name,
    }


def _date(day: int | None) -> date | None:
    return None if day is None else date_of(day)
