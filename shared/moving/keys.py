"""The subjects' keys, and the markers of those that were destroyed, from the folder into a database of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared.errors import CannotMove
from shared.postgres import answering
from shared.postgres_keyring import PostgresKeyring, keys

_ROWS: Final = 5_000

Entries = Mapping[str, bytes | None]
"""Keys by subject, None for one that was destroyed."""


class Missing(NamedTuple):
    """What the database lacks: keys and markers it does not have, and keys that the folder has destroyed since."""

    new: Entries
    destroyed: tuple[str, ...]


def missing(ours: Entries, engine: sa.Engine) -> Missing:
    """What has to be copied.

    Raises:
        CannotMove: the database has another key for a subject, or has destroyed it.
        Unreachable: the database does not answer.
    """
    with answering(), engine.connect() as connection:
        theirs = {row.subject: row.key for row in connection.execute(sa.select(keys))}
    different = [subject for subject in ours.keys() & theirs.keys() if ours[subject] != theirs[subject]]
    if lost := sorted(subject for subject in different if ours[subject] is not None):
        how = "no key any more" if theirs[lost[0]] is None else "another key"
        raise CannotMove(f"the keyring database has {how} for {lost[0]}, which the folder has a key for")
    new = {subject: key for subject, key in ours.items() if subject not in theirs}
    return Missing(new, tuple(sorted(different)))


def copy(found: Missing, engine: sa.Engine) -> None:
    """Write what is missing; a key that is there is never overwritten, but destroyed where the folder's is.

    Raises:
        Unreachable: the database does not answer.
    """
    rows = [{"subject": subject, "key": key} for subject, key in found.new.items()]
    with answering(), engine.begin() as connection:
        for start in range(0, len(rows), _ROWS):
            connection.execute(insert(keys).on_conflict_do_nothing(), rows[start : start + _ROWS])
    keyring = PostgresKeyring(engine)
    for subject in found.destroyed:
        keyring.destroy(subject)
