"""A shop to ask analytics about, over HTTP: events go straight into the log, questions come in as a browser's."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx2

from services.analytics.main import SERVICE
from services.analytics.purchase_days import family
from services.contacts.customer import ImportCustomer, customer
from services.portal.order import PlaceOrder, order
from shared.decider import Context, handle
from shared.embedded import opened
from shared.ids import imported
from shared.settings import Settings
from shared.web.commands import Answers
from shared.web.guard import Principal

PAGE = {"Accept": "text/html"}


class Shop:
    """Two tills, pounds and dollars, and somebody who asks how it goes."""

    def __init__(self, embedded, client):
        self.embedded, self.client = embedded, client

    async def knows(self, outside_id, source="shop"):
        id_ = imported("customer", source, outside_id)
        command = ImportCustomer(customer_id=id_, source=source, outside_id=outside_id)
        await self._happens(customer, id_, command)
        return id_

    async def sells(self, customer_id, day, pounds, currency="GBP"):
        """An order on a day of 2010 such as 03-15."""
        moment = datetime.fromisoformat(f"2010-{day}T12:00:00+00:00")
        line = {"code": "P1", "description": None, "quantity": 1, "unit_price": f"{pounds}.00"}
        command = PlaceOrder(
            order_id=uuid4(), customer_id=customer_id, occurred_at=moment, currency=currency, lines=(line,)
        )
        return await self._happens(order, command.order_id, command)

    async def ask(self, path, **query):
        return await self.client.get(f"/analytics/api/v1{path}", params=query)

    async def see(self, path, **query):
        return await self.client.get(f"/analytics{path}", params=query, headers=PAGE)

    def token(self, outcome):
        return Answers(self.embedded.platform.log.store.id, "crm.portal.v1").token(outcome)

    async def _happens(self, decider, id_, command):
        context = Context(actor="cli:maria", command_id=uuid4())
        outcome = await handle(self.embedded.platform.log, decider, id_, command, context=context)
        await self.embedded.platform.models.reached(family, outcome.position, wait=60)
        return outcome


@asynccontextmanager
async def open_shop(folder, role="analyst"):
    """An empty shop; the questions come from somebody of this role."""
    async with opened([SERVICE], Settings(data=folder)) as embedded:

        async def served(scope, receive, send):
            state = {**scope.get("state", {}), "principal": Principal("maria", "staff", role)}
            await embedded.app({**scope, "state": state}, receive, send)

        transport = httpx2.ASGITransport(served)
        async with httpx2.AsyncClient(transport=transport, base_url="http://rapport") as client:
            yield Shop(embedded, client)


def today():
    return datetime.now(UTC).date()


NOBODY = UUID(int=7)
