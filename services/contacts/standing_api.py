"""How customers stand, over HTTP: merged, unmerged, erased."""

from __future__ import annotations

from uuid import UUID

from starlette.responses import Response

from services.contacts import changing, erasing
from services.contacts.changing import answers, edit
from services.contacts.standing import Erasure, Merger, UnmergeCustomer
from shared.web import command_route
from shared.web.bodies import Sent
from shared.web.commands import Accepted, Asked, Expected
from shared.web.guard import may
from shared.web.serving import Here

router = command_route.router(prefix="/api/v1", tags=["customers"])


@router.post("/customers/{id_}/merge")
@may("specialist", "manager")
async def merge(
    id_: UUID, body: Sent[Merger], asked: Asked, expected: Expected, here: Here, response: Response
) -> Accepted:
    """Have another customer absorb this one: what is recorded of it counts there, until it is unmerged."""
    outcome = await changing.merge(here.log, id_, body, asked, expected)
    return answers(here).answer(outcome, id_, response)


@router.post("/customers/{id_}/unmerge")
@may("specialist", "manager")
async def unmerge(id_: UUID, asked: Asked, expected: Expected, here: Here, response: Response) -> Accepted:
    """Take a merge back: what is recorded of the customer counts for itself again."""
    outcome = await edit(here.log, id_, UnmergeCustomer(), asked, expected)
    return answers(here).answer(outcome, id_, response)


@router.post("/customers/{id_}/erase")
@may("privacy_officer")
async def erase(
    id_: UUID, body: Sent[Erasure], asked: Asked, expected: Expected, here: Here, response: Response
) -> list[Accepted]:
    """Erase a customer and everybody who was absorbed into it, for ever: an answer each, the customer itself first."""
    erased = await erasing.erase(here, id_, body, asked, expected)
    return [answers(here).answer(outcome, each, response) for each, outcome in erased]
