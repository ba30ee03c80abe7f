"""The three kinds of table a projection can have: sums, documents, and what is derived from them."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, get_type_hints

import sqlalchemy as sa

from shared.envelope import Recorded
from shared.events import Event
from shared.projections.columns import EventId, Key, Stream, Subject, Whole, sql_type
from shared.projections.expressions import Expression, Field, fields_of
from shared.projections.identity import Survivor

E = TypeVar("E", bound=Event)
R = TypeVar("R")
Index = str | tuple[str, ...]


class Rule(NamedTuple):
    """How one event type adds to a sum: once, or once for each element of a list."""

    event: type[Event]
    each: str | None
    columns: dict[str, Expression]


class Sum:
    """Integers added to keys. Commutative and invertible: late, cancelled and merged facts are additions.

    `earliest` and `latest` keep the smallest and largest of whole numbers or of instants (milliseconds since 1970),
    None before the first. They cannot be taken back, and rows that have them stay: for what only ever happens.
    """

    def __init__(
        self,
        name: str,
        *,
        key: Sequence[Key],
        adds: Sequence[str],
        earliest: Sequence[str] = (),
        latest: Sequence[str] = (),
        indexes: Sequence[Index] = (),
    ) -> None:
        self.name = name
        self.key = tuple(key)
        self.adds = tuple(adds)
        self.earliest = tuple(earliest)
        self.latest = tuple(latest)
        self.indexes = tuple(indexes)
        self.rules: list[Rule] = []
        self.c = _view(name, _integers(self.key, self.values))

    @property
    def values(self) -> tuple[str, ...]:
        """Its columns besides the key."""
        return (*self.adds, *self.earliest, *self.latest)

    @property
    def extremes(self) -> list[str]:
        """How the last columns merge: `min` for each of `earliest`, `max` for each of `latest`."""
        return ["min"] * len(self.earliest) + ["max"] * len(self.latest)

    @property
    def subject(self) -> str | None:
        """The key column that holds whom a row is about, if there is one."""
        return next((column.name for column in self.key if isinstance(column, Subject)), None)

    @property
    def types(self) -> frozenset[str]:
        """The event types it reads."""
        return frozenset(rule.event.type for rule in self.rules)

    def on(self, event: type[Event], each: Field | None = None, **columns: Expression) -> None:
        """Say what an event adds. Key columns need an expression each; addends left out add nothing."""
        listed = str(each) if each is not None else None
        given = {column.name for column in self.key if not isinstance(column, Subject)}
        if missing := given - columns.keys():
            raise TypeError(f"{self.name}: {event.type} gives no {', '.join(sorted(missing))}")
        if unknown := columns.keys() - given - set(self.values):
            raise TypeError(f"{self.name} has no column {', '.join(sorted(unknown))}")
        for field in (field for expression in columns.values() for field in fields_of(expression)):
            _check_field(self.name, event, field, listed)
        self.rules.append(Rule(event, listed, columns))

    def definition(self) -> str:
        """What the fingerprint of its family is made of."""
        rules = sorted(
            f"{rule.event.type}:{rule.event.schema_version}:{rule.each}:"
            + ",".join(f"{name}={rule.columns[name]}" for name in sorted(rule.columns))
            for rule in self.rules
        )
        extremes = f" {self.earliest} {self.latest}" if self.extremes else ""
        return f"sum {self.name} {_columns(self.key)} {self.adds}{extremes} {rules}"


Handler = Callable[[Any, Any, Recorded], Any]


class Document(Generic[R]):
    """A row per key, folded in the order of its subject's events. A row nobody wrote is `row()`.

    `about` names the field that holds whom a row is about, where that is not its key: the row goes with the subject.
    """

    def __init__(
        self,
        name: str,
        row: type[R],
        *,
        key: Subject | Stream | EventId,
        about: str | None = None,
        indexes: Sequence[Index] = (),
    ) -> None:
        self.name = name
        self.row = row
        self.key = key
        self.indexes = tuple(indexes)
        self.handlers: dict[str, Handler] = {}
        self.events: dict[str, type[Event]] = {}
        hints = get_type_hints(row)
        self.fields = {field.name: hints[field.name] for field in fields(row)}  # type: ignore[arg-type]
        self.subject = key.name if isinstance(key, Subject) else about
        if self.subject not in {None, key.name, *self.fields}:
            raise TypeError(f"{name} has no field {about}")
        self.c = _view(name, {key.name: str} | self.fields)

    @property
    def types(self) -> frozenset[str]:
        """The event types it reads."""
        return frozenset(self.handlers)

    def on(self, event: type[E]) -> Callable[[Callable[[R, E, Recorded], R | None]], None]:
        """Register the pure function that folds one event type into a row; None deletes the row."""

        def register(function: Callable[[R, E, Recorded], R | None]) -> None:
            if self.handlers.setdefault(event.type, function) is not function:
                raise TypeError(f"{self.name} folds {event.type} twice")
            self.events[event.type] = event

        return register

    def definition(self) -> str:
        """What the fingerprint of its family is made of."""
        handlers = [
            f"{type_}:{self.events[type_].schema_version}:{_source(self.handlers[type_])}"
            for type_ in sorted(self.handlers)
        ]
        return f"document {self.name} {_columns((self.key,))} {sorted(map(str, self.fields.items()))} {handlers}"


class Rows(Protocol):
    """The rows of one group, by table: named tuples of a sum, rows of a document."""

    def __getitem__(self, table: Sum | Document[Any]) -> list[Any]:
        """The group's rows in one of the tables it is derived of."""


GroupFunction = Callable[[str, Rows], Iterable[tuple[Any, ...]]]


class Derived:
    """Integers computed anew per group whenever the group's sums or documents changed.

    A group is all rows with the same text in the column `by`; `through` an identity also those of everybody who was
    absorbed, and it then bears the name of the last survivor.
    """

    def __init__(
        self,
        name: str,
        *,
        of: Sequence[Sum | Document[Any]],
        by: str,
        through: Document[Survivor] | None = None,
        key: Sequence[Key],
        adds: Sequence[str],
    ) -> None:
        self.name = name
        self.of = tuple(of)
        self.by = by
        self.through = through
        self.key = tuple(key)
        self.adds = tuple(adds)
        self.indexes: tuple[Index, ...] = ()
        self.function: GroupFunction | None = None
        self.c = _view(name, _integers(self.key, self.adds))

    types: frozenset[str] = frozenset()

    def group(self, function: GroupFunction) -> None:
        """Register the function that says what one group contributes: key values, then addends."""
        self.function = function

    def definition(self) -> str:
        """What the fingerprint of its family is made of."""
        body = _source(self.function) if self.function else ""
        by = f"{self.by} through {self.through.name}" if self.through else self.by
        return f"derived {self.name} {[table.name for table in self.of]} {by} {_columns(self.key)} {self.adds} {body}"


Table = Sum | Document[Any] | Derived


@dataclass(frozen=True)
class _Columns:
    """`table.c.name`: the columns of the readable view, for SQLAlchemy queries."""

    columns: Mapping[str, sa.ColumnClause[Any]]

    def __getattr__(self, name: str) -> sa.ColumnClause[Any]:
        try:
            columns: Mapping[str, sa.ColumnClause[Any]] = vars(self)["columns"]  # none yet while it is unpickled
            return columns[name]
        except KeyError:
            raise AttributeError(name) from None


def _integers(key: Sequence[Key], adds: Sequence[str]) -> dict[str, Any]:
    return {column.name: int if isinstance(column, Whole) else str for column in key} | dict.fromkeys(adds, int)


def _view(name: str, columns: Mapping[str, Any]) -> _Columns:
    readable = sa.table(name, *(sa.column(column, sql_type(hint)[0]) for column, hint in columns.items()))
    return _Columns(dict(readable.c.items()))


def _columns(key: Iterable[Key]) -> list[str]:
    return [f"{type(column).__name__}:{column.name}" for column in key]


def _check_field(table: str, event: type[Event], field: Field, each: str | None) -> None:
    name, *nested = field.path
    if name not in event.model_fields:
        raise TypeError(f"{table}: {event.type} has no field {name}")
    if name in event.personal:
        raise TypeError(f"{table}: {event.type}.{name} is personal and cannot be in a sum")
    if nested and name != each:
        raise TypeError(f"{table}: {field} needs each=f.{name}")


def _source(function: Callable[..., Any]) -> str:
    """A function without its layout and comments."""
    return ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(function))))
