"""The catalogue over HTTP: products are listed, priced, and no longer offered."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from services.portal import catalogue
from services.portal.catalogue import ProductDetail
from services.portal.changing import answers, edit
from services.portal.product import DelistProduct, ListProduct, PriceProduct, product
from shared.decider import handle
from shared.errors import Refused
from shared.ids import imported
from shared.web import command_route
from shared.web.bodies import Sent
from shared.web.commands import Accepted, Asked, Expected, etag
from shared.web.cursors import Cursor, Limit, encode
from shared.web.guard import may
from shared.web.serving import Here, read
from shared.web.tokens import After

router = command_route.router(prefix="/api/v1", tags=["catalogue"])


class ProductPage(BaseModel):
    """Products by code; `next` is the cursor of the next page."""

    products: list[ProductDetail]
    next: str | None


@router.post("/products", status_code=201)
@may("specialist", "manager")
async def list_product(body: Sent[ListProduct], here: Here, asked: Asked, response: Response) -> Accepted:
    """List a product; its source and code make its id."""
    product_id = imported("product", body.source, body.code)
    outcome = await handle(here.log, product, product_id, body, context=asked)
    return answers(here).answer(outcome, product_id, response)


@router.post("/products/{product_id}/price")
@may("specialist", "manager")
async def price_product(
    product_id: UUID, body: Sent[PriceProduct], here: Here, asked: Asked, expected: Expected, response: Response
) -> Accepted:
    """Give a product its list price in one currency."""
    outcome = await edit(here.log, product, product_id, body, asked, expected)
    return answers(here).answer(outcome, product_id, response)


@router.post("/products/{product_id}/delist")
@may("specialist", "manager")
async def delist_product(
    product_id: UUID, body: Sent[DelistProduct], here: Here, asked: Asked, expected: Expected, response: Response
) -> Accepted:
    """Take a product out of the offer."""
    outcome = await edit(here.log, product, product_id, body, asked, expected)
    return answers(here).answer(outcome, product_id, response)


@router.get("/products")
@may("signed_in")
async def list_products(
    request: Request, cursor: Cursor, after: After, offered: bool | None = None, limit: Limit = 50
) -> ProductPage:
    """Products by code; with `offered`, those that can be ordered or those that cannot."""
    rows, place = await read(
        request,
        catalogue.family,
        lambda db: catalogue.listed(db, offered=offered, behind=cursor, limit=limit),
        after=after,
    )
    return ProductPage(products=rows, next=encode(place) if place else None)


@router.get("/products/{product_id}")
@may("signed_in")
async def one_product(product_id: UUID, request: Request, response: Response, after: After) -> ProductDetail:
    """One product with its prices."""
    found = await read(request, catalogue.family, lambda db: catalogue.found(db, product_id), after=after)
    if found is None:
        raise Refused("no such product", kind="missing")
    response.headers["ETag"] = etag(found.version)
    return found
