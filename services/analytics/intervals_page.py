"""The page of intervals: how soon customers come back, of all purchases or one product, and what is due."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import sqlalchemy as sa
from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.analytics import intervals_figures as figures
from services.analytics.histories import histories, product_histories
from services.analytics.insights import ROOT, Choices, Tab, ground, insight
from services.analytics.intervals_figures import Paces
from services.analytics.kept import Kept, kept
from services.analytics.purchase_days import family, product_days
from services.analytics.question import Viewed
from services.analytics.replenishment import LEAD_DAYS, Due, replenishment
from services.analytics.scope import Scope
from services.analytics.score_words import flags
from services.analytics.words import Reader
from shared.projections import Snapshot
from shared.values import Code
from shared.web import guard
from shared.web.guard import may
from shared.web.serving import Frame, Here, read

router = guard.router(include_in_schema=False)
_SHOWN: Final = 50
"""Rows of the list of what is due."""
Start = Annotated[int, Query(ge=0, le=10**9, description="How many rows stand before the first.")]
_OFFERED: Final = 200
"""Product codes to choose from while typing."""


@router.get("/intervals")
@may("analyst", "manager", "specialist")
async def intervals(
    request: Request,
    here: Here,
    frame: Frame,
    viewed: Viewed,
    product: Annotated[Code | None, Query()] = None,
    start: Start = 0,
) -> HTMLResponse:
    """How soon customers come back; who is due to buy what again is fetched afterwards."""
    answers = kept(here.models)

    def compose(db: Snapshot, choices: Choices) -> Mapping[str, Any]:
        scope, reader = choices.ground.scope, choices.reader
        found = paces(db, answers, scope, product)
        return {
            "found": found,
            "product": product,
            "products": offered(db, scope),
            "pace": figures.pace_figure(found, reader, product) if found.timing.intervals.n else None,
            "back": figures.survival_figure(found.survival, reader, product) if found.survival.steps else None,
            "regularity": figures.regularity(found, reader),
            "flags": flags(found.fit.flags, reader),
            "due": choices.way(f"{ROOT}fragments/due", product=product, start=start or None),
        }

    return await insight(request, here, frame, viewed, Tab.INTERVALS, compose, more={"product": product})


@router.get("/fragments/due")
@may("analyst", "manager", "specialist")
async def due(
    request: Request,
    here: Here,
    frame: Frame,
    viewed: Viewed,
    product: Annotated[Code | None, Query()] = None,
    start: Start = 0,
) -> HTMLResponse:
    """Who is due to buy what again, for the page of intervals."""
    answers, reader = kept(here.models), Reader.of(request)

    def asked(db: Snapshot) -> tuple[Choices, list[Due]]:
        more = {"product": product}
        choices = Choices(Tab.INTERVALS, ground(db, viewed), reader, f"{ROOT}{Tab.INTERVALS}", more)
        return choices, what_is_due(db, answers, choices.ground.scope, product)

    choices, found = await read(request, family, asked)
    after = start + _SHOWN
    return frame.fragment(
        request,
        "analytics/due.html",
        choices=choices,
        product=product,
        due=found[start:after],
        due_in_all=len(found),
        first=choices.way() if start else None,
        next=choices.way(start=after) if after < len(found) else None,
        lead=LEAD_DAYS,
    )


def paces(db: Snapshot, answers: Kept, scope: Scope, product: str | None) -> Paces:
    """How fast the customers of a scope come back, with all purchases or those of one product."""
    if product is not None:
        return Paces.of(product_histories(db, scope, product), scope.as_of)
    return Paces.of(answers.get(db, histories, scope), scope.as_of)


def what_is_due(db: Snapshot, answers: Kept, scope: Scope, product: str | None) -> list[Due]:
    """Who is due to buy what, the likeliest first; of one product only where one is named."""
    return [each for each in answers.get(db, replenishment, scope).due if product in {None, each.product}]


def offered(db: Snapshot, scope: Scope) -> list[str]:
    """The products bought by most customers on most days up to a day, by code."""
    c = product_days.c
    query = sa.select(c.product).where(c.day <= scope.as_of, c.lines > 0, *scope.customers(c.customer))
    query = query.group_by(c.product).order_by(sa.func.count().desc(), c.product).limit(_OFFERED)
    return sorted(db.execute(query).scalars())
