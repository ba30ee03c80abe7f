"""The events that the append contestants append: orders, interactions and ratings of about 271 bytes, seed 42."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

_START = datetime(2023, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS = 730
_SKUS = 2_000
_CHANNELS = ("phone", "email", "chat", "visit")
_CURRENCIES = ("EUR", "USD", "GBP")


def payloads(count: int, customers: int = 2_000, seed: int = 42) -> Iterator[tuple[UUID, str, dict[str, Any]]]:
    """Customer, type and payload of each event, in the order of time: 70 % orders, 20 % interactions, 10 % ratings."""
    rng = random.Random(seed)
    ids = [UUID(int=rng.getrandbits(128), version=4) for _ in range(customers)]
    names = [id_.hex[:26].upper() for id_ in ids]
    step = timedelta(days=_DAYS) / count
    for n in range(count):
        number = int(customers * rng.random() ** 1.5)
        yield ids[number], *_event(rng, number, names[number], _START + n * step)


def encoded(payload: dict[str, Any]) -> bytes:
    """A payload as compact JSON."""
    return json.dumps(payload, separators=(",", ":")).encode()


def _token(rng: random.Random) -> str:
    return f"{rng.getrandbits(130):026X}"[:26]


def _event(rng: random.Random, number: int, customer: str, moment: datetime) -> tuple[str, dict[str, Any]]:
    draw = rng.random()
    data: dict[str, Any] = {"customer_id": customer}
    at = moment.isoformat(timespec="milliseconds")[:-6] + "Z"
    if draw < 0.7:
        lines = [_line(rng, number * 7_919) for _ in range(1 + int(4 * rng.random() ** 1.3))]
        day = (moment - _EPOCH).days
        data |= {"order_id": _token(rng), "placed_at": at, "business_day": day, "currency": _CURRENCIES[number % 3]}
        return "OrderPlaced", data | {"lines": lines}
    if draw < 0.9:
        data |= {"interaction_id": _token(rng), "occurred_at": at, "channel": _CHANNELS[_below(rng, 4)]}
        data |= {"direction": "inbound" if rng.random() < 0.6 else "outbound", "duration_s": 5 + _below(rng, 3_595)}
        return "InteractionLogged", data | {
            "agent_id": f"agent-{_below(rng, 200):04d}",
            "note": "Call about delivery and invoice details",
        }
    data |= {"rating_id": _token(rng), "rated_at": at, "score": 1 + _below(rng, 5)}
    return "SatisfactionRated", data | {
        "survey": "post-purchase-nps-v2",
        "comment": "Delivered in time, packaging could be better",
    }


def _line(rng: random.Random, first: int) -> dict[str, Any]:
    sku = f"SKU-{(first + _below(rng, 12)) % _SKUS:05d}"
    return {"sku": sku, "quantity": 1 + _below(rng, 5), "unit_price_minor": 100 + _below(rng, 19_900)}


def _below(rng: random.Random, limit: int) -> int:
    return int(limit * rng.random())  # four times faster than randrange, and ten million events are many
