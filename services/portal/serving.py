"""What all routes of the portal share: the platform, the form of their answers, and a way to ask a read model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Depends
from starlette.requests import Request

from shared.projections import Family, Snapshot
from shared.service import Platform, platform
from shared.web.commands import Answers
from shared.web.freshness import fresh
from shared.web.tokens import Token

Answer = TypeVar("Answer")
Here = Annotated[Platform, Depends(platform)]


def _answers(here: Here) -> Answers:
    return Answers(here.log.store.id, "crm.portal.v1")


Answering = Annotated[Answers, Depends(_answers)]
"""What answers to the portal's commands are made with."""


async def read(
    request: Request, family: Family, question: Callable[[Snapshot], Answer], *, after: Token | None = None
) -> Answer:
    """Ask one snapshot of a family, off the event loop, once the family has the position of `after`.

    Raises:
        TooFarBehind: it does not get there in time.
    """
    await fresh(request, family, after=after)
    models = platform(request).models

    def ask() -> Answer:
        with models.read(family) as db:
            return question(db)

    return await asyncio.to_thread(ask)
