"""What a monitoring system scrapes: how far everything is, and whether this process has what it needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import Response

from shared import status
from shared.service import Platform
from shared.web import guard
from shared.web.guard import may
from shared.web.serving import Here

router = guard.router()
_FAMILY: Final = ("family", "version", "generation")
_GENERATION: Final = (*_FAMILY, "status")
_PROJECTIONS: Final = {
    "lag_events": "Events that a read model is behind the store.",
    "lag_seconds": "How long the first of them has been waiting.",
    "parked": "Events that a read model could not apply, with those that wait behind them.",
}
_GENERATIONS: Final = {
    "position": "How far a generation is.",
    "target": "Where it is to come.",
    "applied": "Events applied to it.",
    "rate": "Positions a second over the last minute, while it is built.",
}


@router.get("/metrics")
@may("operator")
async def metrics(here: Here) -> Response:
    """Gauges in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(await _Gauges.taken(here))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Gauges:
    def __init__(self, found: Sequence[Metric]) -> None:
        self._found = found

    @classmethod
    async def taken(cls, here: Platform) -> _Gauges:
        """What is so right now."""
        head = _gauge("store_position", "The position of the last event.", (), [({}, await here.log.store.position())])
        projections, generations = await status.projections(here), await status.generations(here)
        problems = here.health.problems()
        needs = [({"need": need}, int(need not in problems)) for need in here.health.needs]
        return cls(
            [
                head,
                *_gauges("projection", _PROJECTIONS, _FAMILY, projections),
                *_gauges("generation", _GENERATIONS, _GENERATION, generations),
                _gauge("need_met", "1 when this process has what it needs, 0 when not.", ("need",), needs),
            ]
        )

    def collect(self) -> Iterable[Metric]:
        """As prometheus_client asks for it."""
        return self._found


def _gauges(
    what: str, gauges: Mapping[str, str], labels: Sequence[str], entries: Sequence[Mapping[str, Any]]
) -> Iterator[Metric]:
    for name, about in gauges.items():
        yield _gauge(f"{what}_{name}", about, labels, [(entry, entry[name]) for entry in entries])


def _gauge(
    name: str, about: str, labels: Sequence[str], values: Sequence[tuple[Mapping[str, Any], float]]
) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(f"rapport_{name}", about, labels=labels)
    for entry, value in values:
        gauge.add_metric([str(entry[label]) for label in labels], value)
    return gauge
