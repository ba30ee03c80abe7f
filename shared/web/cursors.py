"""Cursors: an opaque text that says behind which row of a list its next page begins."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated, Final, NamedTuple

from fastapi import Depends, Query
from pydantic import TypeAdapter, ValidationError

from shared.web.problems import Problem

MAX_CURSOR: Final = 1_000


class Place(NamedTuple):
    """Where a row stands in a list: the value it is sorted by, and its id for rows that are equal in it."""

    value: str
    id: str


_PLACE: Final = TypeAdapter(Place)


def encode(place: Place) -> str:
    """The cursor as text that fits into a URL."""
    return base64.urlsafe_b64encode(json.dumps(place, ensure_ascii=False).encode()).rstrip(b"=").decode()


def decode(text: str) -> Place:
    """Read a cursor.

    Raises:
        Problem: 400 that names the parameter `cursor`.
    """
    try:
        padded = text[:MAX_CURSOR].encode("ascii") + b"=" * (-len(text) % 4)
        return _PLACE.validate_json(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error, ValidationError):
        raise Problem.of_field(400, "cursor", "must be the `next` of an earlier page") from None


async def _cursor(
    cursor: Annotated[str | None, Query(description="The `next` of the page before; the first page without.")] = None,
) -> Place | None:
    return decode(cursor) if cursor else None


Cursor = Annotated[Place | None, Depends(_cursor)]
"""The `?cursor=` of a list, as an endpoint's parameter."""

Limit = Annotated[int, Query(ge=1, le=200, description="Rows on a page.")]
"""The `?limit=` of a list, as an endpoint's parameter."""
