"""Why: one score of a customer opened down to its events, and the products that a customer buys again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.analytics import evidence
from services.analytics.customer_page import Sight, said_of, sight
from services.analytics.evidence import Fact
from services.analytics.explain import Explanation, Score
from services.analytics.inputs import facts_of
from services.analytics.kept import kept
from services.analytics.profile import find
from services.analytics.purchase_days import family
from services.analytics.question import Viewed
from services.analytics.repeats import Repeat, repeats
from services.analytics.replenishment import LEAD_DAYS, replenishment
from services.analytics.score_words import FLAGS, MEANINGS, NAMES, value
from services.analytics.words import FACT_NAMES, Reader
from shared.clock import date_of
from shared.errors import Refused
from shared.projections import Snapshot
from shared.service import Platform
from shared.values import Code
from shared.web import guard
from shared.web.freshness import freshness
from shared.web.guard import may, principal
from shared.web.serving import Frame, Here, ask

router = guard.router(include_in_schema=False)
_SHOWN: Final = 50
"""Products of a customer in one list, those bought most often first."""


@router.get("/customers/{reference}/why/{score}")
@may("analyst", "manager", "specialist")
async def why(request: Request, here: Here, frame: Frame, viewed: Viewed, reference: str, score: Score) -> HTMLResponse:
    """One score: definition, inputs, population, parts, model and backtest, and the events behind it."""
    answers, reader = kept(here.models), Reader.of(request)
    fresh = await freshness(request, family)
    seen = await ask(here, family, lambda db: sight(db, answers, find(db, reference), viewed))
    found = seen.opened(score)
    gettext = reader.words.gettext
    return frame.page(
        request,
        "analytics/why.html",
        seen=seen,
        score=score,
        name=gettext(NAMES[score]),
        meaning=gettext(MEANINGS[score]),
        found=found,
        flags=[gettext(FLAGS[flag]) for flag in dict.fromkeys(seen.against(score))],
        **(_opened(seen, found, reader) if found is not None else {}),
        **await _behind(request, here, seen, set()),
        as_of=date_of(viewed.as_of),
        fresh=fresh,
    )


@router.get("/customers/{reference}/products")
@may("analyst", "manager", "specialist")
async def products(
    request: Request,
    here: Here,
    frame: Frame,
    viewed: Viewed,
    reference: str,
    product: Annotated[Code | None, Query()] = None,
) -> HTMLResponse:
    """The products of one customer and when each is due again; one of them down to its events."""
    answers = kept(here.models)
    fresh = await freshness(request, family)

    def asked(db: Snapshot) -> tuple[Sight, list[Repeat]]:
        seen = sight(db, answers, find(db, reference), viewed)
        timing = answers.get(db, replenishment, seen.scope).timing
        return seen, repeats(db, seen.members, viewed.as_of, timing.usable)

    seen, found = await ask(here, family, asked)
    chosen = [each for each in found if each.product == product]
    again = [each for each in found if each.rhythm.x]
    if product is not None and not chosen:
        raise Refused(f"this customer has not bought {product} up to that day", field="product", kind="missing")
    return frame.page(
        request,
        "analytics/products.html",
        seen=seen,
        products=chosen or again[:_SHOWN],
        bought=len(found),
        again=len(again),
        product=product,
        lead=LEAD_DAYS,
        **await _behind(request, here, seen, {day for each in chosen for day in each.rhythm.days}),
        as_of=date_of(viewed.as_of),
        fresh=fresh,
    )


def _opened(seen: Sight, found: Explanation, reader: Reader) -> dict[str, Any]:
    currency = seen.profile.currency or ""
    backtest: Mapping[str, Any] = found.backtest or {}
    return {
        "value": value(found, reader, currency),
        "sentence": said_of(seen, found, reader),
        "inputs": facts_of(found.inputs, found, reader, currency),
        "population": facts_of(found.population, found, reader, currency),
        "backtest": facts_of(backtest, found, reader, currency),
    }


async def _behind(request: Request, here: Platform, seen: Sight, days: set[int]) -> dict[str, Any]:
    """The events behind the figures of a customer, newest first; only of some days where any are named."""
    as_of, currency = seen.scope.as_of, seen.profile.currency

    def asked(db: Snapshot) -> list[Fact]:
        return evidence.behind(db, seen.members, as_of, currency)

    facts = [fact for fact in await ask(here, evidence.family, asked) if not days or fact.day in days]
    role = principal(request).role
    return {"facts": facts, "kinds": FACT_NAMES, "most": evidence.MOST, "may_read": role in evidence.READERS}
