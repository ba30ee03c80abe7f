"""The JSON API of intervals: how long customers take to come back, and when the next purchase is due."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import BaseModel, Field

from services.analytics.histories import Histories, histories, product_histories, repeat_histories
from services.analytics.purchase_days import family
from services.analytics.question import Asked
from services.analytics.scope import scope
from services.analytics.timing import counted, foretold
from services.analytics.waiting_backtest import waiting_backtest
from shared.clock import date_of, day_number
from shared.errors import Refused
from shared.projections import Snapshot
from shared.values import Code, Name
from shared.web import guard
from shared.web.guard import may
from shared.web.serving import read

router = guard.router(prefix="/api/v1", tags=["analytics"])


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


@router.get("/intervals")
@may("analyst", "manager", "specialist")
async def intervals(
    request: Request,
    question: Asked,
    product: Annotated[Code | None, Query(description="Only purchases of the product with this code.")] = None,
    category: Annotated[Name | None, Query(description="Only purchases of products in this category.")] = None,
    each_product: Annotated[bool, Query(description="Of each customer with each product for itself.")] = False,
    fit_until: Annotated[date | None, Query(description="Fit up to this day, and test on what came after it.")] = None,
) -> IntervalsFound:
    """Count the days between one purchase day of a customer and the next, and fit when the next is due."""
    since = day_number(fit_until) if fit_until else None
    if since is not None and since >= question.as_of:
        raise Refused("must be before as_of", field="fit_until")
    if sum((each_product, product is not None, category is not None)) > 1:
        raise Refused("is one product, one category or each_product, not two of them", field="product")

    def answer(db: Snapshot) -> IntervalsFound:
        within = scope(db, question, money=False)
        if each_product:
            some = repeat_histories(db, within)
        elif product is None and category is None:
            some = histories(db, within)
        else:
            some = product_histories(db, within, product, category)
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
