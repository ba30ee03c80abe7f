"""The span between two points of the past: two days, or two moments of recording."""

from __future__ import annotations

import re
from typing import Final

from shared.past import Past
from shared.service import Platform
from shared.web.past import day_of, moment_of
from shared.web.problems import Problem

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")


async def read(here: Platform, earlier: str, later: str) -> tuple[Past, Past]:
    """The two ends of a span as they were asked for.

    Raises:
        Problem: 400 that names the end that is wrong.
    """
    days = [bool(_DAY.fullmatch(text)) for text in (earlier, later)]
    if days[0] != days[1]:
        raise Problem.of_field(400, "to", "must be a day if `from` is one, else an instant or a position")
    if all(days):
        first, last = day_of(here, "from", earlier), day_of(here, "to", later)
        span = Past(as_of=first), Past(as_of=last)
    else:
        first, last = await moment_of(here, "from", earlier), await moment_of(here, "to", later)
        span = Past(known_at=first), Past(known_at=last)
    if first > last:
        raise Problem.of_field(400, "to", "must not lie before `from`")
    return span
