"""Folding events into sums in columns: one decode per event type, each column built once, no Python per event.

Only the fields that some sum of the family uses are decoded. Live pages and replays fold by this code alone; they
differ in how many events are folded before what came of them is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import chain
from operator import attrgetter
from types import NoneType
from typing import Any, Final, get_args

import msgspec
import numpy as np
from pydantic import AwareDatetime

from shared.events import Event
from shared.projections.bulk import Column
from shared.projections.columns import UNSET, Subject
from shared.projections.expressions import Expression, Field, Product, fields_of
from shared.projections.storage import is_coded
from shared.projections.tables import Rule, Sum

Codes = Callable[[list[str]], Column]
"""Gives each text its number."""
_INSTANT: Final = "instant"


class Plan:
    """What the sums of a family need of one event type, compiled once."""

    def __init__(self, type_: str, sums: Sequence[Sum]) -> None:
        self._uses = [(table, rule) for table in sums for rule in table.rules if rule.event.type == type_]
        self._flat: dict[str, Any] = {}
        self._lists: dict[str, dict[str, Any]] = {rule.each: {} for _, rule in self._uses if rule.each}
        for table, rule in self._uses:
            coded = {column.name for column in table.key if is_coded(column)}
            for name, expression in rule.columns.items():
                for field in fields_of(expression):
                    kind = _kind(rule.event, field, text=name in coded)
                    place = self._flat if len(field.path) == 1 else self._lists[field.path[0]]
                    if place.setdefault(field.path[-1], kind) != kind:
                        raise TypeError(f"{type_}.{field} is used both as a text and as a number")
        members: list[tuple[str, Any]] = [(name, _decoded(kind)) for name, kind in self._flat.items()]
        for name, kinds in self._lists.items():
            element = msgspec.defstruct(name, [(field, _decoded(kind)) for field, kind in kinds.items()], gc=False)
            members.append((name, list[element]))  # type: ignore[valid-type]
        struct = msgspec.defstruct("Payload", members, gc=False)
        self._decode = msgspec.json.Decoder(struct).decode_lines

    def fold(self, subjects: Column, lines: bytes, codes: Codes) -> list[tuple[str, list[Column], list[Column | int]]]:
        """What events, a line each, add to which sum: the columns of its key, and those of its addends and extremes."""
        page = _Page(self._decode(lines), subjects, codes, self._flat, self._lists)
        return [(table.name, page.keys(table, rule), page.values(table, rule)) for table, rule in self._uses]


class _Page:
    """The columns of some events of one type, each built when first asked for."""

    def __init__(
        self,
        events: list[Any],
        subjects: Column,
        codes: Codes,
        flat: dict[str, Any],
        lists: dict[str, dict[str, Any]],
    ) -> None:
        self._subjects, self._codes = subjects, codes
        self._kinds: dict[tuple[str | None, str], Any] = {(None, name): kind for name, kind in flat.items()}
        self._kinds |= {(each, name): kind for each, kinds in lists.items() for name, kind in kinds.items()}
        elements = {each: list(map(attrgetter(each), events)) for each in lists}
        self._counts = {each: np.fromiter(map(len, some), np.int64, len(some)) for each, some in elements.items()}
        self._rows: dict[str | None, list[Any]] = {None: events} | {
            each: list(chain.from_iterable(some)) for each, some in elements.items()
        }
        self._built: dict[tuple[str | None, str], Column] = {}
        self._repeated: dict[tuple[str, str], Column] = {}

    def keys(self, table: Sum, rule: Rule) -> list[Column]:
        """The key columns of one sum."""
        return [
            self._spread("", self._subjects, rule.each)
            if isinstance(key, Subject)
            else self._filled(self._value(rule.columns[key.name], rule.each), rule.each)
            for key in table.key
        ]

    def values(self, table: Sum, rule: Rule) -> list[Column | int]:
        """Addends and extremes of one sum."""
        unset = dict.fromkeys(table.adds, 0)
        unset |= {
            name: UNSET[kind] for name, kind in zip((*table.earliest, *table.latest), table.extremes, strict=True)
        }
        return [self._value(rule.columns.get(name, nothing), rule.each) for name, nothing in unset.items()]

    def _value(self, expression: Expression, each: str | None) -> Column | int:
        if isinstance(expression, int):
            return expression
        if isinstance(expression, Product):
            first, *others = expression.fields
            product = self._field(first, each)
            for field in others:
                product = product * self._field(field, each)
            return -product if expression.sign < 0 else product
        return self._field(expression, each)

    def _filled(self, value: Column | int, each: str | None) -> Column:
        return np.full(len(self._rows[each]), value, np.int64) if isinstance(value, int) else value

    def _field(self, field: Field, each: str | None) -> Column:
        if len(field.path) == 1:
            return self._spread(field.path[0], self._column(None, field.path[0]), each)
        return self._column(field.path[0], field.path[-1])

    def _spread(self, name: str, column: Column, each: str | None) -> Column:
        if each is None:
            return column
        if (each, name) not in self._repeated:
            self._repeated[each, name] = np.repeat(column, self._counts[each])
        return self._repeated[each, name]

    def _column(self, each: str | None, name: str) -> Column:
        if (each, name) not in self._built:
            rows, kind = self._rows[each], self._kinds[each, name]
            values = list(map(attrgetter(name), rows))
            if kind is int:
                column = np.fromiter(values, np.int64, len(rows))
            elif kind is _INSTANT:
                column = _milliseconds(values)
            else:
                column = self._codes(values if kind is str else [text or "" for text in values])
            self._built[each, name] = column
        return self._built[each, name]


def _kind(event: type[Event], field: Field, *, text: bool) -> Any:
    """How a field is decoded: texts get numbers, instants become milliseconds, whole numbers stay."""
    annotation: Any = event.model_fields[field.path[0]].annotation
    if len(field.path) > 1:
        element = get_args(annotation)[0]
        annotation = element.model_fields[field.path[-1]].annotation
    if text:
        return str | None if NoneType in get_args(annotation) else str
    return _INSTANT if annotation in {datetime, AwareDatetime} else int


def _decoded(kind: Any) -> Any:
    return str if kind is _INSTANT else kind


def _milliseconds(texts: list[str]) -> Column:
    """Instants as they are stored (RFC 3339, in UTC) to milliseconds since 1970."""
    # every stored instant ends with Z, which numpy would warn about
    return np.array([text[:-1] for text in texts], "M8[ms]").astype(np.int64)
