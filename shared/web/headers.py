"""Headers as ASGI carries them: lists of pairs, names in lower case.

The middlewares and a command ask for eleven headers of a request. A dictionary made once answers them all; Starlette's
`Headers` walks the list for each.
"""

from __future__ import annotations

from typing import Final

from starlette.types import Scope

Pairs = list[tuple[bytes, bytes]]
_KEPT: Final = "rapport.headers"


def first(scope: Scope) -> dict[bytes, bytes]:
    """The headers of a request; of those with the same name the first."""
    headers: dict[bytes, bytes] | None = scope.get(_KEPT)
    if headers is None:
        headers = scope[_KEPT] = dict(reversed(scope["headers"]))
    return headers


def sent(scope: Scope, name: bytes) -> str | None:
    """The first header of a request that has this name."""
    value = first(scope).get(name)
    return None if value is None else value.decode("latin-1")
