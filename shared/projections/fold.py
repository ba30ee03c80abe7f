"""Folding a page into sums in columns: one decode per event type, each column built once, no Python per event.

Only the fields that some sum of the family uses are decoded. Rows of one page are grouped by sorting their packed
key, so a page writes each key once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from shared.projections.columns import Subject
from shared.projections.expressions import Expression, Field, Product, fields_of
from shared.projections.storage import is_coded
from shared.projections.tables import Rule, Sum

Column = npt.NDArray[np.int64]
Codes = Callable[[Iterable[str]], dict[str, int]]


class Addition:
    """What a page adds to one sum: columns of keys and of addends, row by row."""

    def __init__(self, table: Sum) -> None:
        self.table = table
        self._parts: list[list[Column]] = []

    def add(self, columns: list[Column]) -> None:
        """Add rows: the key columns, then the addends."""
        self._parts.append(columns)

    def rows(self) -> list[tuple[int, ...]]:
        """The rows by key, each key once; rows that add nothing are left out."""
        if not self._parts:
            return []
        width = len(self.table.key)
        columns = [np.concatenate(parts) for parts in zip(*self._parts, strict=True)]
        keys, addends = columns[:width], columns[width:]
        order = np.lexsort(keys[::-1])
        keys = [key[order] for key in keys]
        changes = np.zeros(len(order), dtype=bool)
        changes[:1] = True
        for key in keys:
            changes[1:] |= key[1:] != key[:-1]
        starts = np.flatnonzero(changes)
        if not len(starts):
            return []
        sums = [np.add.reduceat(addend[order], starts) for addend in addends]
        live = np.flatnonzero(np.any([total != 0 for total in sums], axis=0))
        return list(zip(*(c[live].tolist() for c in [*(key[starts] for key in keys), *sums]), strict=True))


class Plan:
    """What the sums of a family need of one event type, compiled once."""

    def __init__(self, type_: str, sums: Sequence[Sum]) -> None:
        self._uses = [(table, rule) for table in sums for rule in table.rules if rule.event.type == type_]
        flat: dict[str, Any] = {}
        lists: dict[str, dict[str, Any]] = {rule.each: {} for _, rule in self._uses if rule.each}
        for table, rule in self._uses:
            coded = {column.name for column in table.key if is_coded(column)}
            for name, expression in rule.columns.items():
                for field in fields_of(expression):
                    kind = str | None if name in coded else int
                    place = flat if len(field.path) == 1 else lists[field.path[0]]
                    if place.setdefault(field.path[-1], kind) != kind:
                        raise TypeError(f"{type_}.{field} is used both as a text and as a number")
        self._flat, self._lists = flat, lists
        members: list[tuple[str, Any]] = list(flat.items())
        for name, kinds in lists.items():
            element = msgspec.defstruct(name, list(kinds.items()), gc=False)
            members.append((name, list[element]))  # type: ignore[valid-type]
        struct = msgspec.defstruct("Payload", members, gc=False)
        self._decode = msgspec.json.Decoder(struct).decode_lines

    def fold(self, subjects: Column, payloads: Sequence[bytes], codes: Codes, into: dict[str, Addition]) -> None:
        """Add what these events say to the sums."""
        page = _Page(self._decode(b"\n".join(payloads)), subjects, codes, self._flat, self._lists)
        for table, rule in self._uses:
            into[table.name].add(page.columns(table, rule))


class _Page:
    """The columns of one page of one event type, each built when first asked for."""

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

    def columns(self, table: Sum, rule: Rule) -> list[Column]:
        """Keys and addends of one sum."""
        built = []
        for key in table.key:
            if isinstance(key, Subject):
                built.append(self._spread(self._subjects, rule.each))
            else:
                built.append(self._value(rule.columns[key.name], rule.each))
        built += [self._value(rule.columns.get(name, 0), rule.each) for name in table.adds]
        return built

    def _value(self, expression: Expression, each: str | None) -> Column:
        if isinstance(expression, int):
            return np.full(len(self._rows[each]), expression, np.int64)
        if isinstance(expression, Product):
            product = np.full(len(self._rows[each]), expression.sign, np.int64)
            for field in expression.fields:
                product = product * self._field(field, each)
            return product
        return self._field(expression, each)

    def _field(self, field: Field, each: str | None) -> Column:
        if len(field.path) == 1:
            return self._spread(self._column(None, field.path[0]), each)
        return self._column(field.path[0], field.path[-1])

    def _spread(self, column: Column, each: str | None) -> Column:
        return column if each is None else np.repeat(column, self._counts[each])

    def _column(self, each: str | None, name: str) -> Column:
        column = self._built.get((each, name))
        if column is None:
            rows = self._rows[each]
            values = map(attrgetter(name), rows)
            if self._kinds[each, name] is not int:
                texts = [text or "" for text in values]
                values = map(self._codes(texts).__getitem__, texts)
            column = self._built[each, name] = np.fromiter(values, np.int64, len(rows))
        return column
