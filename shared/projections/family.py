"""A family: the tables that are read together, under one version."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from shared.events import Event
from shared.projections.columns import EventId, Subject
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

    def __reduce__(self) -> tuple[Callable[[str], Family], tuple[str]]:
        """Another process finds a family by its module: the functions of its tables could not be sent there."""
        if self.module is None:
            raise TypeError(f"{self.name} is the `family` of no module, so that no other process would find it")
        return _of_module, (self.module,)

    @property
    def module(self) -> str | None:
        """The module whose `family` it is."""
        modules = list(sys.modules.items())
        return next((name for name, module in modules if getattr(module, "__dict__", {}).get("family") is self), None)

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
    def apart(self) -> list[Document[Any]]:
        """Its documents of which each subject's events make rows of their own, whatever happens to other subjects."""
        return [document for document in self.documents if _is_apart(document)]

    @property
    def together_apart(self) -> list[tuple[Derived, ...]]:
        """Those of `together` whose groups are each made of the rows of one subject, or of some that were merged."""
        return [tables for tables in self.together if _is_of_subjects(tables[0])]

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


def _is_apart(document: Document[Any]) -> bool:
    if isinstance(document.key, (Subject, EventId)):
        return True
    return all(event.subject_field is None for event in document.events.values())  # the stream is the subject


def _is_of_subjects(derived: Derived) -> bool:
    if derived.through is not None and not _is_apart(derived.through):
        return False
    return all(
        isinstance(table.key, Subject) if isinstance(table, Document) else table.subject == derived.by
        for table in derived.of
    )


def _of_module(name: str) -> Family:
    family: Family = import_module(name).family
    return family
