"""The rules of the catalogue."""

from __future__ import annotations

import pytest

from services.portal.events import ProductCategorised, ProductDelisted, ProductListed, ProductPriced
from services.portal.product import (
    CategoriseProduct,
    DelistProduct,
    ImportProduct,
    ListProduct,
    PriceProduct,
    product,
)
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


def categorised(category: str | None) -> ProductCategorised:
    return ProductCategorised(source="portal", code="85123A", category=category)


def test_a_product_may_be_listed_in_a_category():
    named = LIST.model_copy(update={"category": "Candles"})
    Spec(product).when(named).then(LISTED, categorised("Candles"))
    Spec(product).given(LISTED, categorised("Candles"), DELISTED).when(named).then(LISTED)


def test_a_category_changes_and_goes_and_the_same_again_leads_to_nothing():
    history = Spec(product).given(LISTED, categorised("Candles"))
    history.when(CategoriseProduct(category="Lights")).then(categorised("Lights"))
    history.when(CategoriseProduct(category=None)).then(categorised(None))
    history.when(CategoriseProduct(category="Candles")).then()
    Spec(product).when(CategoriseProduct(category="Lights")).refused(kind="missing")


def test_what_is_no_longer_offered_was_still_bought_in_a_category():
    Spec(product).given(LISTED, DELISTED).when(CategoriseProduct(category="Lights")).then(categorised("Lights"))


def test_an_import_lists_once_and_follows_the_category():
    taken = ImportProduct(source="portal", code="85123A", name="Holder", category="Candles")
    listed = LISTED.model_copy(update={"name": "Holder", "description": None})
    Spec(product).when(taken).then(listed, categorised("Candles"))
    history = Spec(product).given(LISTED, categorised("Candles"))
    history.when(taken).then()
    history.when(taken.model_copy(update={"category": None})).then(categorised(None))
    Spec(product).given(LISTED, DELISTED).when(taken).then(categorised("Candles"))


def test_a_listed_product_can_be_delisted():
    Spec(product).given(LISTED).when(DelistProduct()).then(DELISTED)


@pytest.mark.parametrize("command", [PriceProduct(currency="EUR", amount_minor=1), DelistProduct()])
def test_an_unknown_product_is_missing(command):
    Spec(product).when(command).refused(kind="missing")


@pytest.mark.parametrize("command", [PriceProduct(currency="EUR", amount_minor=1), DelistProduct()])
def test_a_delisted_product_changes_no_more(command):
    Spec(product).given(LISTED, DELISTED).when(command).refused(kind="conflict")
