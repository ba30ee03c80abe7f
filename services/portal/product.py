"""A product of the catalogue: listed, priced per currency, and no longer offered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import Field

from services.portal.events import ProductCategorised, ProductDelisted, ProductListed, ProductPriced
from services.portal.lines import DEFAULT_SOURCE, Source
from shared.decider import Command, Decider
from shared.errors import Refused
from shared.events import Event
from shared.values import Code, Currency, Minor, Name, Prose


class ListProduct(Command):
    """The product can be ordered, for the first time or again."""

    source: Source = DEFAULT_SOURCE
    code: Code
    name: Name
    description: Prose | None = None
    category: Name | None = None


class ImportProduct(Command):
    """Another system has the product, in this category: it is listed once, and follows that system's category.

    A product that was taken out of the offer here stays out, and keeps the name that it was listed under.
    """

    source: Source
    code: Code
    name: Name
    category: Name | None = None


class CategoriseProduct(Command):
    """The product belongs to a category, or to none."""

    category: Name | None


class PriceProduct(Command):
    """The product gets a list price in one currency."""

    currency: Currency
    amount_minor: Annotated[Minor, Field(ge=0)]


class DelistProduct(Command):
    """The product is no longer offered."""


@dataclass(frozen=True)
class Product:
    """What the rules need to know of a product; `prices` is by currency."""

    listed: ProductListed | None = None
    offered: bool = False
    category: str | None = None
    prices: Mapping[str, int] = field(default_factory=dict)


ProductCommand = ListProduct | ImportProduct | CategoriseProduct | PriceProduct | DelistProduct


def decide(command: ProductCommand, state: Product) -> Sequence[Event]:
    """What a command leads to; a price or a category that is set already leads to nothing."""
    match command:
        case ListProduct():
            return _list(command, state)
        case ImportProduct(source=source, code=code, category=category):
            new = [ProductListed(source=source, code=code, name=command.name, description=None)]
            return [*(new if state.listed is None else []), *_categorise(source, code, category, state)]
    if state.listed is None:
        raise Refused("no such product", kind="missing")
    source, code = state.listed.source, state.listed.code
    if isinstance(command, CategoriseProduct):  # also of what is no longer offered: it was bought in this category
        return _categorise(source, code, command.category, state)
    if not state.offered:
        raise Refused(f"product {code} is no longer offered", kind="conflict")
    match command:
        case PriceProduct(currency=currency, amount_minor=amount):
            if state.prices.get(currency) == amount:
                return []
            return [ProductPriced(source=source, code=code, currency=currency, amount_minor=amount)]
        case DelistProduct():
            return [ProductDelisted(source=source, code=code)]


def evolve(state: Product, event: Event) -> Product:
    """The product after an event."""
    match event:
        case ProductListed():
            return replace(state, listed=event, offered=True)
        case ProductCategorised(category=category):
            return replace(state, category=category)
        case ProductPriced(currency=currency, amount_minor=amount):
            return replace(state, prices={**state.prices, currency: amount})
        case ProductDelisted():
            return replace(state, offered=False)
        case _:
            return state


def _list(command: ListProduct, state: Product) -> list[Event]:
    source, code = command.source, command.code
    if state.offered:
        raise Refused(f"product {code} of {source} is listed already", field="code", kind="conflict")
    listed = ProductListed(source=source, code=code, name=command.name, description=command.description)
    return [listed, *(_categorise(source, code, command.category, state) if command.category else [])]


def _categorise(source: str, code: str, category: str | None, state: Product) -> list[Event]:
    return [] if category == state.category else [ProductCategorised(source=source, code=code, category=category)]


product = Decider("product", Product(), decide, evolve)
