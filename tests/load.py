"""Clients of a deployment that do as clients should: they repeat what was not answered, under the same key."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx2
from deployment import Deployment

_PAUSE_SECONDS = 0.2
_LINE = {"code": "CD", "description": "A record", "quantity": 1, "unit_price": "9.99"}


class Load:
    """Orders, placed by some clients at once, each one after the other; `acknowledged` were answered with 201."""

    def __init__(self, deployment: Deployment, rng: random.Random, clients: int = 4) -> None:
        self.acknowledged: set[UUID] = set()
        self.repeated = 0
        self._deployment = deployment
        self._rng = rng
        self._clients = clients
        self._customers: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._more = asyncio.Event()

    @asynccontextmanager
    async def running(self, customers: int = 20) -> AsyncIterator[None]:
        """Register customers, then place orders until the context ends; each client ends with an answer."""
        headers = {"Authorization": f"Bearer {self._deployment.token}"}
        async with httpx2.AsyncClient(base_url=self._deployment.url, headers=headers, timeout=10) as http:
            for number in range(customers):
                asked = {"kind": "individual", "name": f"Customer {number}"}
                self._customers.append((await self._send(http, "/contacts/api/v1/customers", asked))["id"])
            self._ended = asyncio.Event()
            self._tasks = [asyncio.create_task(self._client(http)) for _ in range(self._clients)]
            try:
                yield
            finally:
                self._ended.set()
                await asyncio.gather(*self._tasks)

    async def more(self, orders: int, seconds: float = 60) -> None:
        """Return when so many more orders were acknowledged."""
        wanted = len(self.acknowledged) + orders
        async with asyncio.timeout(seconds):
            while len(self.acknowledged) < wanted:
                self._more.clear()
                await self._more.wait()

    async def _client(self, http: httpx2.AsyncClient) -> None:
        while not self._ended.is_set():
            asked = {"customer_id": self._rng.choice(self._customers), "currency": "EUR", "lines": [_LINE]}
            answer = await self._send(http, "/portal/api/v1/orders", asked)
            self.acknowledged.add(UUID(answer["id"]))
            self._more.set()

    async def _send(self, http: httpx2.AsyncClient, path: str, asked: Any) -> Any:
        key = {"Idempotency-Key": str(uuid4())}
        while True:
            try:
                answer = await http.post(path, json=asked, headers=key)
            except httpx2.TransportError:
                answer = None
            if answer is not None and answer.status_code == 201:
                return answer.json()
            if answer is not None and answer.status_code < 500:
                raise AssertionError(f"{path}: {answer.status_code} {answer.text}")
            self.repeated += 1
            await asyncio.sleep(_PAUSE_SECONDS)
