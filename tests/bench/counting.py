"""A family that counts events by their kind: it folds as little as can be: what feeds it is measured."""

import sqlalchemy as sa
from shop import InteractionLogged, OrderPlaced, SatisfactionRated

from shared.projections import Family, Sum, Whole
from shared.projections.generation import Generation

KINDS = (OrderPlaced, InteractionLogged, SatisfactionRated)

counts = Sum("counts", key=(Whole("kind"),), adds=("events",))
for number, event in enumerate(KINDS):
    counts.on(event, kind=number, events=+1)

family = Family("counting", version=1, tables=(counts,))


def figures(generation: Generation) -> list[int]:
    """How many events there are of each kind."""
    with generation.read() as snapshot:
        return [int(row.events) for row in snapshot.execute(sa.text("SELECT events FROM counts ORDER BY kind"))]
