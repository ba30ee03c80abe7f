"""A small double of the HTTP API for the command line's own tests: keeps what it is sent, answers by the contract."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from services.commands.composition import Composition


class FakeRapport:
    """State and routes; a test turns the knobs before it runs a command."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.position = 0
        self.lag = 0
        self.stuck = False
        self.deadly = False
        self.verified: dict[str, Any] = {"ok": True, "chain_ok": True, "first_bad": None, "projections": []}
        self.problem: tuple[int, dict[str, Any]] | None = None
        self.refuse: str | None = None
        self.invalid: str | None = None
        self.most_orders_at_once = 0
        self.served: Any = None
        self.upgraded: list[tuple[str, str]] = []
        self.app = Starlette(
            routes=[
                Route("/api/v1/livez", lambda _: Response(status_code=204)),
                Route("/api/v1/events", self._events),
                Route("/api/v1/projections", self._projections),
                Route("/api/v1/verify", self._verify, methods=["POST"]),
                Route("/api/v1/{kind}", self._account, methods=["POST"]),
                Route("/contacts/api/v1/customers/import", self._customers, methods=["POST"]),
                Route("/portal/api/v1/products/import", self._products, methods=["POST"]),
                Route("/portal/api/v1/orders/import", self._orders, methods=["POST"]),
                Route("/analytics/api/v1/{path:path}", self._analytics, methods=["GET", "POST"]),
            ]
        )

    def composition(self) -> Composition:
        @asynccontextmanager
        async def open_app(data) -> AsyncIterator[Any]:
            data.mkdir(parents=True, exist_ok=True)
            yield self.app

        def serve(serving) -> None:
            self.served = serving

        async def create_topics(bootstrap: str) -> list[str]:
            return ["crm.contacts.v1", bootstrap]

        def serve_service(name: str, port: int | None) -> None:
            self.served = (name, port)

        def upgrade_database(database: str, keyring: str) -> tuple[str, str] | None:
            self.upgraded.append((database, keyring))
            return ("admin", "s3cret") if len(self.upgraded) == 1 else None

        return Composition(open_app, serve, serve_service, create_topics, upgrade_database, *[None] * 3)

    async def _note(self, request: Request) -> Any:
        body = json.loads(await request.body() or b"null")
        self.requests.append((request.method, request.url.path, dict(request.query_params), body))
        if request.method == "POST" and not request.headers.get("idempotency-key"):
            raise AssertionError("a command without Idempotency-Key")
        return body

    def _problem(self) -> Response | None:
        if self.problem is None:
            return None
        status, body = self.problem
        return JSONResponse(body, status, media_type="application/problem+json")

    async def _customers(self, request: Request) -> Response:
        body = await self._note(request)
        if refusal := self._problem():
            return refusal
        assert len(body["customers"]) <= 500
        results = [self._import(f"{body['source']}:{one['outside_id']}", one, 1) for one in body["customers"]]
        return JSONResponse({"results": results, "position": self._token(results)})

    async def _products(self, request: Request) -> Response:
        body = await self._note(request)
        assert len(body["products"]) <= 500
        results = [self._import(f"{body['source']}/products/{one['code']}", one, 2) for one in body["products"]]
        return JSONResponse({"results": results, "position": self._token(results)})

    async def _orders(self, request: Request) -> Response:
        if self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        body = await self._note(request)
        lists = {name: body[name] for name in ("orders", "credit_notes")}
        assert all(len(some) <= 200 for some in lists.values())
        self.most_orders_at_once = max(self.most_orders_at_once, *(len(some) for some in lists.values()))
        for name, some in lists.items():
            for index, order in enumerate(some):
                if order["number"] == self.invalid:
                    field = {"field": f"{name}[{index}].lines[0].code", "message": "is too odd"}
                    return JSONResponse({"title": "The request is not valid", "errors": [field]}, 422)
        answer: dict[str, Any] = {}
        for name, some in lists.items():
            answer[name] = [self._import(f"{body['source']}/{name}/{order['number']}", order, 1) for order in some]
            assert all(f"{body['source']}:{order['customer']}" in self.known for order in some)
        return JSONResponse({**answer, "position": self._token([*answer["orders"], *answer["credit_notes"]])})

    def _import(self, key: str, content: Any, events: int) -> dict[str, Any]:
        if key == self.refuse:
            return {"status": "rejected", "events": 0, "reason": "no, not this one"}
        if key in self.known:
            same = self.known[key] == content
            return {"status": "unchanged" if same else "rejected", "events": 0, "reason": None if same else "other"}
        self.known[key] = content
        self.position += events
        self.lag += 1
        return {"status": "accepted", "events": events, "reason": None}

    def _token(self, results: list[Any]) -> str | None:
        return f"token-{self.position}" if any(result["events"] for result in results) else None

    async def _events(self, request: Request) -> Response:
        await self._note(request)
        endless = request.query_params.get("follow") == "true"

        async def lines() -> AsyncIterator[bytes]:
            position = int(request.query_params.get("after", 0))
            while position < self.position or endless:
                position += 1
                yield json.dumps(_event(position)).encode() + b"\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    async def _projections(self, request: Request) -> Response:
        await self._note(request)
        if self.lag and not self.stuck and request.query_params.get("after"):
            self.lag //= 2
            if self.lag:
                return JSONResponse({"title": "Gateway Timeout"}, 504)
        reached = self.position - self.lag
        family = {"family": "loyalty", "version": 1, "generation": 1, "status": "active", "position": reached}
        return JSONResponse(
            [{**family, "head": self.position, "lag_events": self.lag, "lag_seconds": 0.0, "parked": 0}]
        )

    async def _verify(self, request: Request) -> Response:
        await self._note(request)

        async def lines() -> AsyncIterator[bytes]:
            for done in range(3):
                yield json.dumps({"progress": {"what": "chain", "done": done, "total": 2}}).encode() + b"\n"
            result = {"events": 2, "streams": 1, "head": 2, **self.verified}
            yield json.dumps({"result": result}).encode() + b"\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    async def _account(self, request: Request) -> Response:
        body = await self._note(request)
        return self._problem() or JSONResponse({**body, "secret": "s3cret", "more": 1}, 201)

    async def _analytics(self, request: Request) -> Response:
        await self._note(request)
        return self._problem() or JSONResponse(ANALYTICS[request.path_params["path"].partition("/")[0]])


def _event(position: int) -> dict[str, Any]:
    return {
        "position": position,
        "id": "9b2e0c0c-0000-4000-8000-000000000000",
        "type": "crm.portal.OrderPlaced",
        "schema": 1,
        "subject": "customer-1",
        "stream": "order-1",
        "version": 1,
        "occurred_at": "2010-01-01T00:00:00+00:00",
        "recorded_at": "2010-01-01T00:00:00+00:00",
        "actor": "cli:root",
        "data": {"number": "1"},
    }


ANALYTICS: dict[str, Any] = {
    "rules": {
        **{letter: {"shares": [20, 40, 60, 80]} for letter in "rfm"},
        "segments": [{"segment": "champion", "r": [4, 5], "s": [4, 5]}, {"segment": "regular"}],
    },
    "what-if": {
        "as_of": "2010-03-31",
        "currency": "GBP",
        "n": 5,
        "changed": 2,
        "rescored": 4,
        "before": {"champion": 2, "regular": 3},
        "after": {"champion": 0, "regular": 5},
        "moves": {"champion": {"regular": 2}},
        "gross_minor": {"before": {"champion": 9000, "regular": 6000}, "after": {"champion": 0, "regular": 15000}},
        "cuts": {"before": {}, "after": {}},
        "customers": [
            {
                "customer": "9b2e0c0c-0000-4000-8000-000000000001",
                "before": "champion",
                "after": "regular",
                "scores": {"before": [5, 5, 5], "after": [5, 1, 5]},
                "gross_minor": 5000,
            }
        ],
    },
    "base": {
        "as_of": "2010-12-09",
        "currency": "GBP",
        "lines": 407664,
        "orders": 19213,
        "customers": 4312,
        "customer_days": 16999,
        "gross_minor": 883200326,
        "credit_notes": 4372,
        "credit_minor": -48379470,
    },
    "customers": {
        "customer": "0d7c6b1e-0000-4000-8000-000000000000",
        "orders": 144,
        "x": 95,
        "t_x": 370,
        "T": 370,
        "mean": 3.8947,
        "median": 3,
        "sd": None,
        "next_due": "2010-12-09",
        "r": 5,
        "f": 5,
        "m": None,
        "segment": "champion",
        "last": "2010-12-06",
        "gross_minor": 3365130,
        "net_minor": 3365130,
    },
    "rfm": {
        "n": 15,
        "r": [1, 2, 3, 4, 5],
        "f": [1, 2, 3, 4, 5],
        "m": [5, 4, 3, 2, 1],
        "segments": {"loyal": 5, "champion": 10},
        "cuts": {},
    },
    "intervals": {
        "n": 3,
        "mean": 45.65,
        "median": 28,
        "p90": 113,
        "histogram": [[1, 7, 2], [8, 14, 1]],
        "timing": {"k": 1.7, "r": 2.2, "alpha": 60.0},
        "wheat_k": None,
    },
}
