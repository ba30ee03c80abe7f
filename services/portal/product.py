"""A product of the catalogue: listed, priced per currency, and no longer offered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import Field

from services.portal.events import ProductDelisted, ProductListed, ProductPriced
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
    prices: Mapping[str, int] = field(default_factory=dict)


def decide(command: ListProduct | PriceProduct | DelistProduct, state: Product) -> Sequence[Event]:
    """What a command leads to; a price that is set already leads to nothing."""
    if isinstance(command, ListProduct):
        return [_list(command, state)]
    if state.listed is None:
        raise Refused("no such product", kind="missing")
    source, code = state.listed.source, state.listed.code
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
        case ProductPriced(currency=currency, amount_minor=amount):
            return replace(state, prices={**state.prices, currency: amount})
        case ProductDelisted():
            return replace(state, offered=False)
        case _:
            return state


def _list(command: ListProduct, state: Product) -> ProductListed:
    if state.offered:
        raise Refused(f"product {command.code} of {command.source} is listed already", field="code", kind="conflict")
    return ProductListed(source=command.source, code=command.code, name=command.name, description=command.description)


product = Decider("product", Product(), decide, evolve)
