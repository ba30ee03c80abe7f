"""Identity: which customers are one and the same, so that what happened to any of them counts together.

Facts stay for ever under the id that they were recorded with. A document keeps the direct survivor of whoever was
absorbed; chains are followed when somebody asks, so that a merge moves no facts and can be taken back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from shared.projections import bulk


@dataclass(frozen=True)
class Survivor:
    """Into whom a subject was absorbed, and by the event at which position; empty for one who stands alone."""

    survivor: str = ""
    position: int = 0


Survivors = Mapping[str, Survivor]


def root(subject: str, survivors: Survivors) -> str:
    """The last survivor of a subject.

    Two merges that nobody could see together may close a circle; it is cut where it was closed, at the highest
    position.
    """
    way = [subject]
    while way[-1] in survivors:
        following = survivors[way[-1]].survivor
        if following in way:
            return max(way[way.index(following) :], key=lambda each: survivors[each].position)
        way.append(following)
    return way[-1]


class Identities:
    """Reads the identity document of a generation."""

    def __init__(self, stored: sa.Table) -> None:
        self._stored = stored
        self._key = next(iter(stored.primary_key))

    def above(self, db: sa.Connection, subjects: Collection[str]) -> dict[str, Survivor]:
        """What leads from some subjects to their last survivors."""
        found: dict[str, Survivor] = {}
        asked = set(subjects)
        while asked:
            read = self._read(db, self._key, asked)
            found |= read
            asked = {each.survivor for each in read.values()} - found.keys()
        return found

    def below(self, db: sa.Connection, roots: Collection[str], survivors: Survivors) -> dict[str, list[str]]:
        """The subjects of each group by its last survivor, who comes first. Whoever was absorbed has no group."""
        members = {of: [of] for of in roots if root(of, survivors) == of}
        group = {of: of for of in members}
        asked = set(members)
        while asked:
            read = self._read(db, self._stored.c.survivor, asked)
            asked = read.keys() - group.keys()
            for subject in sorted(asked):
                group[subject] = group[read[subject].survivor]
                members[group[subject]].append(subject)
        return members

    def _read(self, db: sa.Connection, column: sa.ColumnElement[str], texts: Collection[str]) -> dict[str, Survivor]:
        c = self._stored.c
        query = sa.select(self._key, c.survivor, c.position).where(c.survivor != "")
        rows = db.execute(query.where(bulk.among(db, column, sorted(texts))))
        return {row[0]: Survivor(row[1], row[2]) for row in rows}
