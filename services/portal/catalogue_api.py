"""The catalogue over HTTP: products are listed, put into categories, priced, and no longer offered."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from services.portal import catalogue, catalogue_import
from services.portal.catalogue import ProductDetail
from services.portal.changing import answers, edit
from services.portal.imports import Result
from services.portal.product import CategoriseProduct, DelistProduct, ListProduct, PriceProduct, product
from shared.decider import handle
from shared.errors import Refused
from shared.ids import imported
from shared.values import Name
from shared.web import command_route
from shared.web.bodies import Sent
from shared.web.commands import POSITION_HEADER, Accepted, Asked, Expected, etag
from shared.web.cursors import Cursor, Limit, encode
from shared.web.guard import may
from shared.web.serving import Here, read
from shared.web.tokens import After

router = command_route.router(prefix="/api/v1", tags=["catalogue"])


class ProductPage(BaseModel):
    """Products by code; `next` is the cursor of the next page."""

    products: list[ProductDetail]
    next: str | None


class ImportAnswer(BaseModel):
    """A result for each product, in the order in which they were sent."""

    results: list[Result]
    position: str | None = Field(description="Send it as ?after= with a query that must see all of them.")


@router.post("/products", status_code=201)
@may("specialist", "manager")
async def list_product(body: Sent[ListProduct], here: Here, asked: Asked, response: Response) -> Accepted:
    """List a product; its source and code make its id."""
    product_id = imported("product", body.source, body.code)
    outcome = await handle(here.log, product, product_id, body, context=asked)
    return answers(here).answer(outcome, product_id, response)


@router.post("/products/import")
@may("analyst", "manager", "operator")
async def import_products(
    body: Sent[catalogue_import.Batch], here: Here, asked: Asked, response: Response
) -> ImportAnswer:
    """Take over up to 500 products of another system with their categories; the same again is unchanged."""
    results, last = await catalogue_import.take(here.log, body, asked)
    position = answers(here).token(last) if last else None
    if position:
        response.headers[POSITION_HEADER] = position
    return ImportAnswer(results=results, position=position)


@router.post("/products/{product_id}/category")
@may("specialist", "manager")
async def categorise_product(
    product_id: UUID, body: Sent[CategoriseProduct], here: Here, asked: Asked, expected: Expected, response: Response
) -> Accepted:
    """Put a product into a category, or with null into none."""
    outcome = await edit(here.log, product, product_id, body, asked, expected)
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
    request: Request,
    cursor: Cursor,
    after: After,
    offered: bool | None = None,
    category: Name | None = None,
    limit: Limit = 50,
) -> ProductPage:
    """Products by code; with `offered`, those that can be ordered or those that cannot; with `category`, its own."""
    rows, place = await read(
        request,
        catalogue.family,
        lambda db: catalogue.listed(db, offered=offered, category=category, behind=cursor, limit=limit),
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
