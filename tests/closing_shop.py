"""A shop whose days end when a test says so."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from uuid import UUID, uuid4, uuid5

from services.analytics import closer, standing
from services.analytics.closer import Closer
from services.analytics.main import SERVICE
from services.analytics.purchase_days import family as purchases
from services.contacts.events import CustomersMerged, SubjectErased
from services.portal.order import CancelOrder, PlaceOrder, order
from shared.clock import date_of, day_number
from shared.decider import Context, drafts, handle
from shared.embedded import opened
from shared.events import Event
from shared.ids import NS
from shared.serving import Running
from shared.settings import Settings

OPENED = day_number(datetime(2026, 3, 2, tzinfo=UTC).date())
"""The Monday on which the installation records its first event."""


def customer(number: int) -> UUID:
    """One of the customers."""
    return uuid5(NS, f"customer {number}")


class Shop:
    """What happens, at which hour of which day."""

    def __init__(self, running: Running) -> None:
        self.now = datetime.combine(date_of(OPENED), time(9), UTC)
        self.log = replace(running.platform.log, clock=lambda: self.now)
        self.models = running.platform.models
        self.app = running.app

    def closer(self) -> Closer:
        """One more process that closes days."""
        return Closer(self.log, self.models)

    def later(self, days: int = 1, hour: int = 0, minute: int = 10) -> int:
        """Let days pass; the business day that has just ended."""
        day = self.now.date() + timedelta(days=days)
        self.now = datetime.combine(day, time(hour, minute), UTC)
        return day_number(day) - 1

    async def sells(self, number: int, day: int, pounds: int = 10, currency: str = "GBP") -> UUID:
        """An order of a customer on a business day, recorded now."""
        line = {"code": "P1", "description": None, "quantity": 1, "unit_price": f"{pounds}.00"}
        command = PlaceOrder(
            order_id=uuid4(),
            customer_id=customer(number),
            occurred_at=datetime.combine(date_of(day), time(12), UTC),
            currency=currency,
            lines=(line,),
        )
        await handle(self.log, order, command.order_id, command, context=Context("cli:maria", uuid4()))
        return command.order_id

    async def cancels(self, order_id: UUID) -> None:
        """An order is taken back."""
        await handle(self.log, order, order_id, CancelOrder(), context=Context("cli:maria", uuid4()))

    async def merges(self, absorbed: int, survivor: int) -> None:
        """A customer turns out to be another one."""
        await self._happens(
            CustomersMerged(customer_id=customer(absorbed), survivor_id=customer(survivor), reason=None)
        )

    async def erases(self, number: int) -> None:
        """A customer is forgotten, key and all."""
        event = SubjectErased(customer_id=customer(number), reason="request", absorbed=())
        await self._happens(event)
        self.log.keyring.destroy(event.subject(""))

    async def has_a_past(self, customers: int = 80, seed: int = 4) -> None:
        """Customers of a year, each at a rate of its own, who may drop out after each purchase."""
        rng = random.Random(seed)
        for number in range(customers):
            rate, drops = rng.gammavariate(1.5, 1 / 30), rng.betavariate(1, 3)
            day = OPENED - rng.uniform(30, 500)
            while day < OPENED:
                await self.sells(number, int(day), pounds=rng.randrange(5, 90))
                if rng.random() < drops:
                    break
                day += max(1.0, rng.expovariate(rate))

    async def said(self, day: int) -> list[Event]:
        """What the log says of a day."""
        history = await self.log.store.load(closer.stream_of(day))
        return [self.log.codec.decode(recorded) for recorded in history.events]

    async def caught_up(self) -> None:
        """Let the read models reach the head."""
        for each in (purchases, standing.family):
            await self.models.reached(each, await self.log.store.position(), wait=60)

    async def _happens(self, event: Event) -> None:
        stream = event.subject("")
        head = (await self.log.store.load(stream)).head
        await self.log.keyring.ready({stream}, make=True)
        now = self.now.isoformat().replace("+00:00", "Z")
        context = Context("cli:maria", uuid4())
        added = drafts(self.log, stream, [(event, stream)], (now, now), b"", context)
        await self.log.store.append(stream, head, added)


@asynccontextmanager
async def open_shop(folder: Path) -> AsyncIterator[Shop]:
    """An empty shop on its first day."""
    async with opened([SERVICE], Settings(data=folder)) as running:
        yield Shop(running)
