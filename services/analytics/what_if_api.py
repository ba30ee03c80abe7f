"""What-if over HTTP: the rules that count, and what others would make of the same customers."""

from __future__ import annotations

from datetime import date
from typing import Any, Generic, TypeVar
from uuid import UUID

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from services.analytics.histories import histories
from services.analytics.kept import kept
from services.analytics.loyalty import Letter
from services.analytics.purchase_days import family
from services.analytics.question import today
from services.analytics.rules import TODAY, Rules
from services.analytics.scope import Question, Scope, scope
from services.analytics.what_if import WhatIf, what_if
from shared.clock import date_of, day_number
from shared.projections import Snapshot
from shared.values import Code, Currency
from shared.web import guard
from shared.web.bodies import Sent
from shared.web.guard import may
from shared.web.serving import Here, read

T = TypeVar("T")
router = guard.router(prefix="/api/v1", tags=["analytics"])


class Asking(BaseModel):
    """Which rules are tried on whom: day, source and currency as in every question; `limit` customers are named."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rules: Rules
    as_of: date | None = None
    source: Code | None = None
    currency: Currency | None = None
    limit: int = Field(default=100, ge=0, le=1000)


class Both(BaseModel, Generic[T]):
    """The same figure by the rules that count, and by the others."""

    before: T
    after: T


class Mover(BaseModel):
    """A customer who would stand in another segment; `scores` are r, f and m."""

    customer: UUID
    before: str
    after: str
    scores: Both[tuple[int, int, int]]
    gross_minor: int


class WhatIfFound(BaseModel):
    """What other rules would make of the base: in total, and customer by customer."""

    as_of: date
    currency: str | None
    n: int
    changed: int = Field(description="Customers who would stand in another segment.")
    rescored: int = Field(description="Customers with another score, whether it moves them or not.")
    before: dict[str, int] = Field(description="Customers by segment, by the rules that count.")
    after: dict[str, int] = Field(description="Customers by segment, by the others.")
    moves: dict[str, dict[str, int]] = Field(description="From segment to segment, without those who stay.")
    gross_minor: Both[dict[str, int]] = Field(description="Valid orders by segment.")
    cuts: Both[dict[Letter, list[int | None]]] = Field(
        description="What scores 1 to 5 come to: r at most so many days, f at least so many, m at least so much."
    )
    customers: list[Mover] = Field(description="Who would move, the largest amount first, up to the limit.")


@router.get("/rules", response_model_exclude_none=True)
@may("analyst", "manager", "specialist")
async def rules() -> Rules:
    """Show the rules that count: what scores take, and which segment they make."""
    return TODAY


@router.post("/what-if")
@may("analyst", "manager")
async def ask_what_if(request: Request, here: Here, body: Sent[Asking]) -> WhatIfFound:
    """Hold other rules against those that count, over one moment of the same customers. Nothing is recorded."""
    as_of = today(here) if body.as_of is None else day_number(body.as_of)
    answers = kept(here.models)

    def answer(db: Snapshot) -> WhatIfFound:
        within = scope(db, Question(as_of, body.source, body.currency))
        return told(what_if(answers.get(db, histories, within), within.as_of, body.rules), within, body.limit)

    return await read(request, family, answer)


def told(found: WhatIf, within: Scope, limit: int) -> WhatIfFound:
    """The answer in figures."""
    before, after = found.before, found.after
    moves = {
        name: {other: count for other, count in row.items() if count and other != name}
        for name, row in found.moves.items()
    }
    return WhatIfFound(
        as_of=date_of(within.as_of),
        currency=within.currency,
        n=found.n,
        changed=int(found.changed.sum()),
        rescored=found.rescored,
        before=dict(before.customers),
        after=dict(after.customers),
        moves={name: row for name, row in moves.items() if row},
        gross_minor=_both(before.total(found.gross), after.total(found.gross)),
        cuts=_both(before.ranking.cuts, after.ranking.cuts),
        customers=[_mover(found, place) for place in found.movers()[:limit]],
    )


def _mover(found: WhatIf, place: int) -> Mover:
    (was, scores), (would, others) = found.before.grade(place), found.after.grade(place)
    customer = UUID(found.customers[place].removeprefix("customer-"))
    gross = int(found.gross[place])
    return Mover(customer=customer, before=was, after=would, scores=_both(scores, others), gross_minor=gross)


def _both(before: Any, after: Any) -> Any:
    return {"before": before, "after": after}
