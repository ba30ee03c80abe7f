"""The JSON API of analytics: exact figures as of a business day."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request
from pydantic import BaseModel, Field

from services.analytics import base as bases
from services.analytics.base import Base
from services.analytics.kept import kept
from services.analytics.loyalty import Letter, Segment
from services.analytics.population import population
from services.analytics.profile import Profile, find, profile
from services.analytics.purchase_days import family
from services.analytics.question import Asked
from services.analytics.scope import scope
from services.analytics.timing import timing
from shared.clock import date_of
from shared.projections import Snapshot
from shared.values import Code
from shared.web import guard
from shared.web.guard import may
from shared.web.serving import Here, read

router = guard.router(prefix="/api/v1", tags=["analytics"])

Scores = Annotated[list[int], Field(description="Customers with score 1 to 5.", min_length=5, max_length=5)]


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


class Gamma(BaseModel):
    """The fitted timing of a base; null until it is fitted."""

    k: float | None = None
    r: float | None = None
    alpha: float | None = None


class IntervalsFound(BaseModel):
    """Days between purchase days."""

    n: int
    mean: float | None
    median: float | None
    p90: int | None
    histogram: list[tuple[int, int, int]] = Field(description="Shortest and longest length, and how many.")
    timing: Gamma
    wheat_k: float | None = Field(description="About 1 when purchases come at random, more when regularly.")


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
) -> Customer:
    """Show the rhythm and the standing of one customer."""
    answers = kept(here.models)

    def answer(db: Snapshot) -> Customer:
        return _customer(profile(db, answers, find(db, reference), question))

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


@router.get("/intervals")
@may("analyst", "manager", "specialist")
async def intervals(
    request: Request,
    question: Asked,
    product: Annotated[Code | None, Query(description="Only purchases of the product with this code.")] = None,
) -> IntervalsFound:
    """Count the days between one purchase day of a customer and the next."""
    found = await read(request, family, lambda db: timing(db, scope(db, question, money=False), product))
    lengths = found.intervals
    return IntervalsFound(
        n=lengths.n,
        mean=lengths.mean,
        median=lengths.median,
        p90=lengths.p90,
        histogram=[tuple(bucket) for bucket in lengths.histogram()],
        timing=Gamma(),
        wheat_k=found.wheat_k,
    )


def _customer(found: Profile) -> Customer:
    rhythm, standing = found.rhythm, found.standing
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
    )


def _date(day: int | None) -> date | None:
    return None if day is None else date_of(day)
