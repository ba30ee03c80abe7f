"""What the routes of every service share: the platform, the shell, and a way to ask a read model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, TypeVar, cast

from fastapi import Depends
from starlette.requests import Request

from shared.projections import Family, Snapshot
from shared.service import Platform, platform
from shared.web.freshness import fresh
from shared.web.shell import Shell
from shared.web.tokens import Token

Answer = TypeVar("Answer")


# FastAPI calls a plain function in a thread, and awaits a coroutine where it is: none of these waits for anything.
async def _platform(request: Request) -> Platform:
    return platform(request)


Here = Annotated[Platform, Depends(_platform)]
"""The platform, as an endpoint's parameter."""


async def _shell(request: Request) -> Shell:
    return cast("Shell", request.app.state.shell)


Frame = Annotated[Shell, Depends(_shell)]
"""The shell that renders a service's pages, as an endpoint's parameter."""


async def read(
    request: Request, family: Family, question: Callable[[Snapshot], Answer], *, after: Token | None = None
) -> Answer:
    """Ask one snapshot of a family, off the event loop, once the family has the position of `after`.

    Raises:
        TooFarBehind: it does not get there in time.
    """
    await fresh(request, family, after=after)
    return await ask(platform(request), family, question)


async def ask(here: Platform, family: Family, question: Callable[[Snapshot], Answer]) -> Answer:
    """Ask one snapshot of a family as it is now, off the event loop."""

    def asked() -> Answer:
        with here.models.read(family) as db:
            return question(db)

    return await asyncio.to_thread(asked)
