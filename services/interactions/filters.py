"""The `?kind=` of lists: an unknown one is answered with those that exist."""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

from fastapi import Depends, Query

from services.interactions.events import Kind
from services.interactions.interactions import KINDS
from services.interactions.lines import LINE_KINDS, LineKind
from shared.web.problems import Problem

K = TypeVar("K", bound=str)
_ABOUT: Final = "Only this kind; all without."


def _one_of(kinds: tuple[K, ...], kind: str | None) -> K | None:
    if kind is None or kind in kinds:
        return next((known for known in kinds if known == kind), None)
    raise Problem.of_field(400, "kind", f"must be one of {', '.join(kinds)}")


def _kind(
    kind: Annotated[str | None, Query(description=_ABOUT, json_schema_extra={"enum": [*KINDS]})] = None,
) -> Kind | None:
    return _one_of(KINDS, kind)


def _line_kind(
    kind: Annotated[str | None, Query(description=_ABOUT, json_schema_extra={"enum": [*LINE_KINDS]})] = None,
) -> LineKind | None:
    return _one_of(LINE_KINDS, kind)


KindFilter = Annotated[Kind | None, Depends(_kind)]
"""The `?kind=` of a list of interactions, as an endpoint's parameter."""

LineFilter = Annotated[LineKind | None, Depends(_line_kind)]
"""The `?kind=` of a timeline, as an endpoint's parameter."""
