"""A family: the tables that are read together, under one version."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from shared.events import Event
from shared.projections.tables import Derived, Document, Sum, Table


class Family:
    """Tables that are built, watermarked, compared and swapped as one; `forgets` names what erases a subject."""

    def __init__(self, name: str, *, version: int, tables: Sequence[Table], forgets: type[Event] | None = None) -> None:
        self.name = name
        self.version = version
        self.tables = tuple(tables)
        if forgets is not None and not forgets.erases:
            raise TypeError(f"{name}: {forgets.type} erases nobody")
        self.forgets = frozenset({forgets.type} if forgets else ())
        inside = set(map(id, tables))
        for derived in self.derived:
            if derived.function is None:
                raise TypeError(f"{derived.name} says nowhere what a group contributes")
            for table in (*derived.of, *([derived.through] if derived.through else ())):
                if id(table) not in inside:
                    raise TypeError(f"{derived.name} is derived of {table.name}, which is not in the family {name}")

    @property
    def sums(self) -> tuple[Sum, ...]:
        """Its sums."""
        return tuple(table for table in self.tables if isinstance(table, Sum))

    @property
    def documents(self) -> tuple[Document[Any], ...]:
        """Its documents."""
        return tuple(table for table in self.tables if isinstance(table, Document))

    @property
    def derived(self) -> tuple[Derived, ...]:
        """Its derived tables."""
        return tuple(table for table in self.tables if isinstance(table, Derived))

    @property
    def together(self) -> tuple[tuple[Derived, ...], ...]:
        """Its derived tables, those together that are computed of the same groups."""
        together: dict[tuple[object, ...], list[Derived]] = {}
        for table in self.derived:
            together.setdefault((table.of, table.by, table.through), []).append(table)
        return tuple(map(tuple, together.values()))

    @property
    def about_nobody(self) -> list[str]:
        """Names of its sums and documents whose rows are about no subject."""
        tables: tuple[Sum | Document[Any], ...] = (*self.sums, *self.documents)
        return [table.name for table in tables if table.subject is None]

    @property
    def types(self) -> frozenset[str]:
        """The event types it reads."""
        return self.forgets.union(*(table.types for table in self.tables))

    def fingerprint(self) -> str:
        """Changes when what the tables would hold changes; then the version must change too."""
        parts = [table.definition() for table in self.tables] + [f"forgets {type_}" for type_ in self.forgets]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
