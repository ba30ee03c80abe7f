"""The rules of the catalogue."""

from __future__ import annotations

import pytest

from services.portal.events import ProductDelisted, ProductListed, ProductPriced
from services.portal.product import DelistProduct, ListProduct, PriceProduct, product
from shared.testing import Spec

LIST = ListProduct(code="85123A", name="Heart T-light holder", description="White, hanging")
LISTED = ProductListed(source="portal", code="85123A", name="Heart T-light holder", description="White, hanging")
DELISTED = ProductDelisted(source="portal", code="85123A")


def priced(currency: str, amount: int) -> ProductPriced:
    return ProductPriced(source="portal", code="85123A", currency=currency, amount_minor=amount)


def test_a_product_is_listed_under_its_code():
    Spec(product).when(LIST).then(LISTED)


def test_a_product_is_listed_once():
    Spec(product).given(LISTED).when(LIST).refused(kind="conflict", field="code")


def test_a_delisted_product_can_be_listed_again():
    Spec(product).given(LISTED, DELISTED).when(LIST).then(LISTED)


def test_a_product_has_one_price_per_currency():
    history = Spec(product).given(LISTED, priced("EUR", 295))
    history.when(PriceProduct(currency="GBP", amount_minor=255)).then(priced("GBP", 255))
    history.when(PriceProduct(currency="EUR", amount_minor=300)).then(priced("EUR", 300))


def test_the_same_price_again_leads_to_nothing():
    Spec(product).given(LISTED, priced("EUR", 295)).when(PriceProduct(currency="EUR", amount_minor=295)).then()


def test_a_listed_product_can_be_delisted():
    Spec(product).given(LISTED).when(DelistProduct()).then(DELISTED)


@pytest.mark.parametrize("command", [PriceProduct(currency="EUR", amount_minor=1), DelistProduct()])
def test_an_unknown_product_is_missing(command):
    Spec(product).when(command).refused(kind="missing")


@pytest.mark.parametrize("command", [PriceProduct(currency="EUR", amount_minor=1), DelistProduct()])
def test_a_delisted_product_changes_no_more(command):
    Spec(product).given(LISTED, DELISTED).when(command).refused(kind="conflict")
