"""The versions of the models: what the day closes fitted or rejected, beside the purchases that they are used on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from services.analytics.events import ModelFitted, ModelRejected
from shared.envelope import Recorded
from shared.projections import Document, EventId, Snapshot


@dataclass(frozen=True)
class Version:
    """A fit of a model: one to use, or one that was rejected for a reason; `payload` is the JSON of its event."""

    model: str = ""
    currency: str = ""
    as_of: int = 0
    position: int = 0
    rejected: bool = False
    payload: str = ""


versions = Document("model_versions", Version, key=EventId("event"), indexes=(("model", "currency", "as_of"),))


@versions.on(ModelFitted)
def _(_row: Version, event: ModelFitted, at: Recorded) -> Version:
    return _version(event, at, rejected=False)


@versions.on(ModelRejected)
def _(_row: Version, event: ModelRejected, at: Recorded) -> Version:
    return _version(event, at, rejected=True)


def _version(event: ModelFitted | ModelRejected, at: Recorded, *, rejected: bool) -> Version:
    return Version(event.model, event.currency, event.as_of, at.position, rejected, event.model_dump_json())


class Published(NamedTuple):
    """A model that a day close published, and the position of its event."""

    event: ModelFitted
    position: int


def published(db: Snapshot, currency: str, as_of: int) -> dict[str, Published]:
    """The newest models of a currency that were fitted up to a day and not rejected, by name."""
    c = versions.c
    usable = (c.currency == currency, c.as_of <= as_of, c.rejected.is_(False))
    newest = sa.select(c.model, sa.func.max(c.as_of).label("as_of")).where(*usable).group_by(c.model).subquery()
    query = sa.select(c.payload, c.position).join(newest, sa.and_(c.model == newest.c.model, c.as_of == newest.c.as_of))
    found = [
        Published(ModelFitted.model_validate_json(row.payload), row.position)
        for row in db.execute(query.where(*usable))
    ]
    return {each.event.model: each for each in found}


def in_use(db: Snapshot, currency: str, as_of: int) -> Mapping[str, ModelFitted]:
    """The same without where they stand in the log."""
    return {name: found.event for name, found in published(db, currency, as_of).items()}


def first_fit(db: Snapshot) -> int | None:
    """The first day for which a model was fitted or rejected; None before any."""
    day: int | None = db.execute(sa.select(sa.func.min(versions.c.as_of))).scalar_one()
    return day
