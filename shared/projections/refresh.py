"""Derived tables: take the groups touched since, compute them anew, add the difference.

Each group remembers what it last contributed, so order, partitions, merges and rebuilds all come to the same.
Through an identity it remembers too who was in it: whoever leaves a group touches it.
"""

from __future__ import annotations

from collections import Counter, defaultdict, namedtuple
from collections.abc import Collection, Sequence
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

Contribution = dict[tuple[int, ...], tuple[int, ...]]


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

    def chunk(self, db: sa.Connection, table: Derived, after: int) -> int | None:
        """Refresh some touched groups with codes above `after`; the last one's code. The caller holds the transaction.

        A group that is touched again meanwhile stays touched: it is forgotten only with the `times` that were seen.
        """
        touched = self._storage.touched[table.name]
        query = sa.select(touched).where(touched.c.code > after).order_by(touched.c.code).limit(GROUPS_A_CHUNK)
        times = {row.code: row.times for row in db.execute(query)}
        codes = self._bounded(db, table, list(times))
        if not codes:
            return None
        groups = self._groups(db, table, codes)
        now = self._contributions(db, table, groups)
        before = self._shares(db, table, groups)
        changed = [code for code in sorted(groups) if now.get(code) != before.get(code)]
        difference: dict[tuple[int, ...], list[int]] = defaultdict(lambda: [0] * len(table.adds))
        for sign, contributions in ((1, now), (-1, before)):
            for code in changed:
                for key, addends in contributions.get(code, {}).items():
                    added = difference[key]
                    for number, value in enumerate(addends):
                        added[number] += sign * value
        self._add(db, table, difference)
        shares = self._storage.shares[table.name]
        bulk.remove(db, shares, ["code"], ((code,) for code in changed if code in before))
        bulk.insert(
            db, shares, ((code, *key, *addends) for code in changed for key, addends in now.get(code, {}).items())
        )
        bulk.remove(db, touched, ["code", "times"], ((code, times[code]) for code in codes))
        return codes[-1]

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
                rows.update(dict(db.execute(sa.select(by, sa.func.count()).where(by.in_(codes)).group_by(by)).all()))
        taken: list[int] = []
        left = ROWS_A_CHUNK
        for code in codes:
            if taken and rows[code] > left:
                break
            taken.append(code)
            left -= rows[code]
        return taken

    def _add(self, db: sa.Connection, table: Derived, difference: dict[tuple[int, ...], list[int]]) -> None:
        rows = [(*key, *addends) for key, addends in sorted(difference.items()) if any(addends)]
        if rows:
            bulk.add(db, self._storage.derived[table.name], list(np.array(rows, np.int64).T), keys=len(table.key))

    def _contributions(self, db: sa.Connection, table: Derived, groups: dict[int, Group]) -> dict[int, Contribution]:
        if table.function is None:
            raise TypeError(f"{table.name} says nowhere what a group contributes")
        of = {member: code for code, group in groups.items() for member in group.members}
        rows = {id(source): self._rows(db, table, source, of) for source in table.of}
        contributed: dict[int, list[tuple[Any, ...]]] = {}
        for code, group in groups.items():
            contributed[code] = list(table.function(group.text, _Rows(rows, code)))
        width = len(table.key)
        places = [place for place, column in enumerate(table.key) if is_coded(column)]
        texts = {row[place] for some in contributed.values() for row in some for place in places}
        known = self._words.codes(db, texts)
        coded: dict[int, Contribution] = {}
        for code, some in contributed.items():
            into: dict[tuple[int, ...], tuple[int, ...]] = {}
            for row in some:
                values = list(row)
                for place in places:
                    values[place] = known[values[place]]
                key, addends = tuple(values[:width]), tuple(values[width:])
                into[key] = tuple(map(sum, zip(into[key], addends, strict=True))) if key in into else addends
            if into:
                coded[code] = into
        return coded

    def _shares(self, db: sa.Connection, table: Derived, codes: Collection[int]) -> dict[int, Contribution]:
        shares = self._storage.shares[table.name]
        width = 1 + len(table.key)
        before: dict[int, Contribution] = defaultdict(dict)
        for row in db.execute(sa.select(shares).where(shares.c.code.in_(codes))):
            before[row[0]][tuple(row[1:width])] = tuple(row[width:])
        return before

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
        selected = list(db.execute(sa.select(stored).where(stored.c[table.by].in_(of)).order_by(*stored.primary_key)))
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
