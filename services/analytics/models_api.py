"""The JSON API of the models: all of them fitted to a base for one question, and tested on what came after."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final, Literal

from fastapi import Query, Request
from pydantic import BaseModel, Field

from services.analytics.buying import WEEK, Buying
from services.analytics.explain import backtest_facts
from services.analytics.fitting import Fit
from services.analytics.histories import histories
from services.analytics.models import Backtest, Models, backtest, fitted, regular
from services.analytics.purchase_days import family
from services.analytics.question import Asked
from services.analytics.scope import Question, scope
from shared.clock import date_of, day_number
from shared.errors import Refused
from shared.projections import Snapshot
from shared.web import guard
from shared.web.guard import may
from shared.web.serving import read

router = guard.router(prefix="/api/v1", tags=["analytics"])
_DAYS: Final[dict[str, float]] = {"weeks": WEEK, "days": 1}


class BuyingFound(BaseModel):
    """A buying model; null without one."""

    r: float | None = None
    alpha: float | None = None
    a: float | None = None
    b: float | None = None
    ll: float | None = None


class RegularFound(BuyingFound):
    """MBG/CNBD-k."""

    k: float | None = None


class SpendingFound(BaseModel):
    """Gamma-gamma; money in whole units of the currency."""

    p: float | None = None
    q: float | None = None
    v: float | None = None
    n: int


class ModelsFound(BaseModel):
    """All models of a base, fitted for this question."""

    n: int
    as_of: date
    bg_nbd: BuyingFound
    mbg_nbd: BuyingFound
    cnbd: RegularFound
    gamma_gamma: SpendingFound
    wheat_k: float | None
    flags: list[str] = Field(description="What has to be said beside the models, each after the model's name.")
    backtest: dict[str, dict[str, Any] | None] = Field(description="By model: what it foretold, and what came.")


@router.get("/models")
@may("analyst", "manager")
async def models(
    request: Request,
    question: Asked,
    unit: Annotated[Literal["weeks", "days"], Query(description="What times are counted in.")] = "weeks",
    guarded: Annotated[bool, Query(alias="guard", description="Off for plain maximum likelihood.")] = True,
    holdout_until: Annotated[date | None, Query(description="Compare with what came until this day.")] = None,
) -> ModelsFound:
    """Fit all models to a base as of a day, and compare them with what came after it."""
    until = day_number(holdout_until) if holdout_until else None
    if until is not None and until <= question.as_of:
        raise Refused("must be after as_of", field="holdout_until")

    def answer(db: Snapshot) -> ModelsFound:
        within = scope(db, Question(until or question.as_of, question.source, question.currency))
        some = histories(db, within)
        found = fitted(some, question.as_of, minor=within.minor, unit=_DAYS[unit], guard=guarded)
        named = {"bg_nbd": found.bg, "mbg_nbd": found.mbg}
        told: dict[str, Backtest | None] = {}
        if until is not None:
            told = {name: backtest(fit, some, question.as_of, until, _DAYS[unit]) for name, fit in named.items()}
        even = regular(some, question.as_of, unit=_DAYS[unit], guard=guarded)
        return _models(question.as_of, found, even, told)

    return await read(request, family, answer)


def _models(as_of: int, found: Models, even: Fit[Buying], told: dict[str, Backtest | None]) -> ModelsFound:
    spending = found.spending.model
    return ModelsFound(
        n=found.n,
        as_of=date_of(as_of),
        bg_nbd=BuyingFound(**_parameters(found.bg)),
        mbg_nbd=BuyingFound(**_parameters(found.mbg)),
        cnbd=RegularFound(k=even.model.k if even.model else None, **_parameters(even)),
        gamma_gamma=SpendingFound(n=found.spending.n, **({} if spending is None else vars(spending))),
        wheat_k=found.wheat_k,
        flags=[*found.flags, *(f"cnbd: {flag.value}" for flag in even.flags)],
        backtest={name: backtest_facts(each) for name, each in told.items()},
    )


def _parameters(fit: Fit[Buying]) -> dict[str, float | None]:
    model = fit.model
    if model is None:
        return {}
    return {"r": model.r, "alpha": model.alpha, "a": model.a, "b": model.b, "ll": fit.log_likelihood}
