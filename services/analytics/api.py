"""The JSON API of analytics: exact figures as of a business day."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query, Request
from pydantic import BaseModel, Field

from services.analytics import base as bases
from services.analytics.base import Base
from services.analytics.histories import Histories, histories, product_histories
from services.analytics.kept import kept
from services.analytics.loyalty import Letter, Segment
from services.analytics.population import population
from services.analytics.profile import Profile, find, profile
from services.analytics.purchase_days import family
from services.analytics.question import Asked
from services.analytics.scope import scope
from services.analytics.timing import counted, foretold
from services.analytics.waiting_backtest import waiting_backtest
from shared.clock import date_of, day_number
from shared.errors import Refused
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
    """The fitted timing of a base (gamma intervals, rates gamma distributed); null without enough data."""

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
    flags: list[str] = Field(description="Why there is no timing, or what has to be said beside it.")
    backtest: dict[str, Any] | None = Field(description="Errors in days of what was foretold since fit_until.")


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
    each_product: Annotated[bool, Query(description="Of each customer with each product for itself.")] = False,
    fit_until: Annotated[date | None, Query(description="Fit up to this day, and test on what came after it.")] = None,
) -> IntervalsFound:
    """Count the days between one purchase day of a customer and the next, and fit when the next is due."""
    since = day_number(fit_until) if fit_until else None
    if since is not None and since >= question.as_of:
        raise Refused("must be before as_of", field="fit_until")
    if each_product and product is not None:
        raise Refused("is one product or each_product, not both", field="product")

    def answer(db: Snapshot) -> IntervalsFound:
        within = scope(db, question, money=False)
        some = product_histories(db, within, product) if product or each_product else histories(db, within)
        return _intervals(some, question.as_of, since)

    return await read(request, family, answer)


def _intervals(some: Histories, as_of: int, since: int | None) -> IntervalsFound:
    found = counted(some)
    lengths = found.intervals
    fit = foretold(some if since is None else some.until(since))
    model = fit.usable
    tested = None if model is None or since is None else waiting_backtest(model, some, since, as_of)
    return IntervalsFound(
        n=lengths.n,
        mean=lengths.mean,
        median=lengths.median,
        p90=lengths.p90,
        histogram=[tuple(bucket) for bucket in lengths.histogram()],
        timing=Gamma() if model is None else Gamma(k=model.k, r=model.r, alpha=model.alpha),
        wheat_k=found.wheat_k,
        flags=[flag.value for flag in fit.flags],
        backtest=None if tested is None else {**vars(tested), "since": date_of(tested.since)},
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
