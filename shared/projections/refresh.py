"""Derived tables: take the groups touched since, compute them anew, add the difference.

Each group remembers what it last contributed, so order, partitions, merges and rebuilds all come to the same.
Through an identity it remembers too who was in it: whoever leaves a group touches it.
"""

from __future__ import annotations

from collections import Counter, defaultdict, namedtuple
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import sqlalchemy as sa

from shared.projections import bulk, documents
from shared.projections.bulk import Column
from shared.projections.identity import Identities, root
from shared.projections.storage import Storage, is_coded
from shared.projections.tables import Derived, Document, Sum
from shared.projections.words import Words

GROUPS_A_CHUNK: Final = 1_000
ROWS_A_CHUNK: Final = 5_000
"""A group is computed from its whole history: this bounds what is in memory at once, however long histories get."""

Contributions = dict[tuple[int, ...], tuple[int, ...]]
"""What groups contribute: addends, by the code of a group and a key."""


class Group(NamedTuple):
    """A group by its text, and the codes of those whose rows are in it."""

    text: str
    members: Sequence[int]


class Refresher:
    """Brings the derived tables of one generation up to its sums and documents."""

    def __init__(self, storage: Storage, words: Words) -> None:
        self._storage = storage
        self._words = words

    def touch(self, db: sa.Connection, table: Derived, codes: Column) -> None:
        """Remember groups whose sums or documents changed, in the transaction that changed them."""
        bulk.add(db, self._storage.touched[table.name], [codes, np.ones_like(codes)], keys=1)

    def everything(
        self, db: sa.Connection, together: Iterable[Sequence[Derived]], between: Callable[[], None] = lambda: None
    ) -> None:
        """Refresh every touched group in the caller's one transaction."""
        for tables in together:
            after: int | None = -1
            while after is not None:
                after = self.chunk(db, tables, after)
                between()

    def waiting(self, db: sa.Connection, tables: Sequence[Derived]) -> int:
        """How many touched groups there are."""
        return db.execute(sa.select(sa.func.count()).select_from(self._storage.touched[tables[0].name])).scalar_one()

    def chunk(self, db: sa.Connection, tables: Sequence[Derived], after: int) -> int | None:
        """Refresh some touched groups with codes above `after`; the last one's code. The caller holds the transaction.

        What several tables are computed of is read once. A group that is touched again meanwhile stays touched: it is
        forgotten only with the `times` that were seen.
        """
        first = tables[0]
        touched = self._storage.touched[first.name]
        query = sa.select(touched).where(touched.c.code > after).order_by(touched.c.code).limit(GROUPS_A_CHUNK)
        times = {row.code: row.times for row in db.execute(query)}
        codes = self._bounded(db, first, list(times))
        if not codes:
            return None
        groups = self._groups(db, first, codes)
        of = {member: code for code, group in groups.items() for member in group.members}
        rows = {id(source): self._rows(db, first, source, of) for source in first.of}
        for table in tables:
            if table.function is None:
                raise TypeError(f"{table.name} says nowhere what a group contributes")
            told = {code: list(table.function(group.text, _Rows(rows, code))) for code, group in groups.items()}
            self._contribute(db, table, groups, self._coded(db, table, told))
        bulk.remove(db, touched, ["code", "times"], ((code, times[code]) for code in codes))
        return codes[-1]

    def _contribute(self, db: sa.Connection, table: Derived, groups: Collection[int], now: Contributions) -> None:
        change = _change(self._shares(db, table, groups), now)
        difference: Contributions = {}
        for (_, *at), addends in change.items():
            key = tuple(at)
            difference[key] = _sum(difference[key], addends) if key in difference else addends
        width = len(table.key)
        _add(db, self._storage.shares[table.name], change, keys=1 + width)
        _add(db, self._storage.derived[table.name], difference, keys=width)

    def _groups(self, db: sa.Connection, table: Derived, codes: Sequence[int]) -> dict[int, Group]:
        """All groups that a touch of these codes may have changed, by their own codes."""
        texts = self._words.texts(db, codes)
        if table.through is None:
            return {code: Group(text, (code,)) for code, text in texts.items()}
        stored = self._storage.members[table.name]
        query = sa.select(stored.c.root).where(bulk.among(db, stored.c.code, codes))
        former = self._words.texts(db, db.execute(query.distinct()).scalars().all())
        named = {*texts.values(), *former.values()}
        identities = Identities(self._storage.documents[table.through.name])
        survivors = identities.above(db, named)
        named |= {root(text, survivors) for text in named}
        members = identities.below(db, named, survivors)
        code = self._words.codes(db, named.union(*members.values()))
        groups = {code[text]: Group(text, [code[each] for each in members.get(text, ())]) for text in named}
        pairs = [(each, of) for of, group in groups.items() for each in group.members]
        if survivors or former or len(pairs) > len(members):
            bulk.remove(db, stored, ["code"], sorted((each,) for each, _ in pairs))
            bulk.insert(db, stored, sorted((each, of) for each, of in pairs if each != of))
        return groups

    def _bounded(self, db: sa.Connection, table: Derived, codes: Sequence[int]) -> list[int]:
        """As many of these groups as have ROWS_A_CHUNK rows together, and at least one."""
        rows: Counter[int] = Counter()
        for source in table.of:
            if isinstance(source, Sum):
                by = self._storage.sums[source.name].c[table.by]
                query = sa.select(by, sa.func.count()).where(bulk.among(db, by, codes)).group_by(by)
                rows.update({row[0]: row[1] for row in db.execute(query).all()})
        taken: list[int] = []
        left = ROWS_A_CHUNK
        for code in codes:
            if taken and rows[code] > left:
                break
            taken.append(code)
            left -= rows[code]
        return taken

    def _coded(self, db: sa.Connection, table: Derived, contributed: dict[int, list[tuple[Any, ...]]]) -> Contributions:
        width = len(table.key)
        places = [place for place, column in enumerate(table.key) if is_coded(column)]
        texts = {row[place] for some in contributed.values() for row in some for place in places}
        known = self._words.codes(db, texts)
        coded: Contributions = {}
        for code, some in contributed.items():
            for row in some:
                values = list(row)
                for place in places:
                    values[place] = known[values[place]]
                key, addends = (code, *values[:width]), tuple(values[width:])
                coded[key] = _sum(coded[key], addends) if key in coded else addends
        return coded

    def _shares(self, db: sa.Connection, table: Derived, codes: Collection[int]) -> Contributions:
        """What groups contributed when they were last computed."""
        shares = self._storage.shares[table.name]
        width = 1 + len(table.key)
        rows = db.execute(sa.select(shares).where(bulk.among(db, shares.c.code, codes))).all()
        return {tuple(row[:width]): tuple(row[width:]) for row in rows}

    def _rows(
        self, db: sa.Connection, table: Derived, source: Sum | Document[Any], of: dict[int, int]
    ) -> dict[int, list[Any]]:
        """Rows of a source by the group that their subject is in."""
        found: dict[int, list[Any]] = defaultdict(list)
        if isinstance(source, Document):
            codes = {text: code for code, text in self._words.texts(db, of).items()}
            for key, row in sorted(documents.rows(db, self._storage.documents[source.name], source, codes).items()):
                found[of[codes[key]]].append(row)
            return found
        stored = self._storage.sums[source.name]
        names = [column.name for column in stored.columns]
        make = namedtuple(source.name, names)  # type: ignore[misc]  # noqa: PYI024, the columns are declared at run time
        query = sa.select(stored).where(bulk.among(db, stored.c[table.by], of)).order_by(*stored.primary_key)
        selected = db.execute(query).all()
        coded = [number for number, column in enumerate(source.key) if is_coded(column)]
        texts = self._words.texts(db, {row[number] for row in selected for number in coded})
        by = names.index(table.by)
        for row in selected:
            values = list(row)
            for number in coded:
                values[number] = texts[row[number]]
            found[of[row[by]]].append(make(*values))
        return found


class _Rows:
    """One group's rows, as a group function reads them."""

    def __init__(self, rows: dict[int, dict[int, list[Any]]], code: int) -> None:
        self._rows = rows
        self._code = code

    def __getitem__(self, table: Sum | Document[Any]) -> list[Any]:
        return self._rows[id(table)].get(self._code, [])


def _change(before: Contributions, now: Contributions) -> Contributions:
    """What is to be added to the one to get the other: of a long history an event changes a row or two."""
    change = {key: addends for key, addends in now.items() if addends != before.get(key)}
    for key, addends in before.items():
        if key not in now:
            change[key] = tuple(-value for value in addends)
        elif key in change:
            change[key] = tuple(value - former for value, former in zip(now[key], addends, strict=True))
    return change


def _sum(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(sum, zip(one, other, strict=True)))


def _add(db: sa.Connection, table: sa.Table, added: Contributions, *, keys: int) -> None:
    rows = [(*key, *addends) for key, addends in sorted(added.items()) if any(addends)]
    if rows:
        bulk.add(db, table, list(np.array(rows, np.int64).T), keys=keys)
