"""The API for parked events: what waits and why, and what becomes of it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import Request

from shared import parked
from shared.values import Text
from shared.web import guard
from shared.web.bodies import Sent
from shared.web.guard import may, principal
from shared.web.serving import Here

router = guard.router(prefix="/api/v1/parked")


def _named(value: Any) -> Any:
    return str(value) if type(value) is int else value


class Retry(BaseModel):
    """Whose parked events are to be applied."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    subject: str = Field(min_length=1, pattern=r"^[^\x00]+$")


class Skip(BaseModel):
    """Which parked event is never to be applied, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    position: Annotated[str, BeforeValidator(_named)] = Field(
        description="A position, or topic:partition:offset of a record that is no event."
    )
    reason: Text


@router.get("")
@may("operator")
async def listed(here: Here) -> list[dict[str, Any]]:
    """Everything that is parked, family by family, in the order in which it waits."""
    return await parked.listed(here)


@router.get("/{family}/{position}")
@may("operator")
async def shown(here: Here, family: str, position: str) -> dict[str, Any]:
    """One parked event, its personal fields masked, with what waits behind it."""
    return await parked.shown(here, family, position)


@router.post("/{family}/retry")
@may("operator")
async def retry(request: Request, here: Here, family: str, sent: Sent[Retry]) -> dict[str, Any]:
    """Apply what is parked of a subject, in order, up to the first event that still fails: `waiting` begins with it."""
    return await parked.retry(here, principal(request).actor, family, sent.subject)


@router.post("/{family}/skip")
@may("operator")
async def skip(request: Request, here: Here, family: str, sent: Sent[Skip]) -> dict[str, Any]:
    """Give up one event for good; what is `waiting` behind it may then be retried."""
    return await parked.skip(here, principal(request).actor, family, sent.position, sent.reason)
