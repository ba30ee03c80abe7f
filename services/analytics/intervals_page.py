"""The page of intervals: how soon customers come back, of all purchases, one product or category, and what is due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import sqlalchemy as sa
from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse

from services.analytics import intervals_figures as figures
from services.analytics.categories import every_category, members
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
from shared.web import guard
from shared.web.guard import may
from shared.web.serving import Frame, Here, read

router = guard.router(include_in_schema=False)
_Word = Annotated[str, Query(max_length=200)]
_SHOWN: Final = 50
"""Rows of the list of what is due."""


@dataclass(frozen=True)
class Narrowing:
    """One product, or all of one category, or neither: what the page is about."""

    product: str | None = None
    category: str | None = None

    @property
    def label(self) -> str | None:
        """What it is called."""
        return self.product or self.category

    @property
    def said(self) -> dict[str, str | None]:
        """As an address says it."""
        return {"product": self.product, "category": self.category}


def narrowing(product: _Word = "", category: _Word = "") -> Narrowing:
    """What the address says; of a product and a category, the product."""
    return Narrowing(product.strip() or None, None if product.strip() else category.strip() or None)


Narrowed = Annotated[Narrowing, Depends(narrowing)]
"""What a page is about, as an endpoint's parameter."""
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
    narrowed: Narrowed,
    start: Start = 0,
) -> HTMLResponse:
    """How soon customers come back; who is due to buy what again is fetched afterwards."""
    answers, what = kept(here.models), narrowed.label

    def compose(db: Snapshot, choices: Choices) -> Mapping[str, Any]:
        scope, reader = choices.ground.scope, choices.reader
        found = paces(db, answers, scope, narrowed)
        return {
            "found": found,
            "narrowed": narrowed,
            "products": offered(db, scope),
            "categories": every_category(db, _OFFERED),
            "pace": figures.pace_figure(found, reader, what) if found.timing.intervals.n else None,
            "back": figures.survival_figure(found.survival, reader, what) if found.survival.steps else None,
            "regularity": figures.regularity(found, reader),
            "flags": flags(found.fit.flags, reader),
            "due": choices.way(f"{ROOT}fragments/due", **narrowed.said, start=start or None),
        }

    return await insight(request, here, frame, viewed, Tab.INTERVALS, compose, more=narrowed.said)


@router.get("/fragments/due")
@may("analyst", "manager", "specialist")
async def due(
    request: Request,
    here: Here,
    frame: Frame,
    viewed: Viewed,
    narrowed: Narrowed,
    start: Start = 0,
) -> HTMLResponse:
    """Who is due to buy what again, for the page of intervals."""
    answers, reader = kept(here.models), Reader.of(request)

    def asked(db: Snapshot) -> tuple[Choices, list[Due]]:
        choices = Choices(Tab.INTERVALS, ground(db, viewed), reader, f"{ROOT}{Tab.INTERVALS}", narrowed.said)
        return choices, what_is_due(db, answers, choices.ground.scope, narrowed)

    choices, found = await read(request, family, asked)
    after = start + _SHOWN
    return frame.fragment(
        request,
        "analytics/due.html",
        choices=choices,
        narrowed=narrowed,
        due=found[start:after],
        due_in_all=len(found),
        first=choices.way() if start else None,
        next=choices.way(start=after) if after < len(found) else None,
        lead=LEAD_DAYS,
    )


def paces(db: Snapshot, answers: Kept, scope: Scope, narrowed: Narrowing) -> Paces:
    """How fast the customers of a scope come back, with all purchases or those of one product or category."""
    if narrowed.label is not None:
        return Paces.of(product_histories(db, scope, narrowed.product, narrowed.category), scope.as_of)
    return Paces.of(answers.get(db, histories, scope), scope.as_of)


def what_is_due(db: Snapshot, answers: Kept, scope: Scope, narrowed: Narrowing) -> list[Due]:
    """Who is due to buy what, the likeliest first; of one product or category only where one is named."""
    found = answers.get(db, replenishment, scope).due
    if narrowed.product is not None:
        return [each for each in found if each.product == narrowed.product]
    if narrowed.category is not None:
        among = members(db, narrowed.category)
        return [each for each in found if (each.source, each.product) in among]
    return list(found)


def offered(db: Snapshot, scope: Scope) -> list[str]:
    """The products bought by most customers on most days up to a day, by code."""
    c = product_days.c
    query = sa.select(c.product).where(c.day <= scope.as_of, c.lines > 0, *scope.customers(c.customer))
    query = query.group_by(c.product).order_by(sa.func.count().desc(), c.product).limit(_OFFERED)
    return sorted(db.execute(query).scalars())
