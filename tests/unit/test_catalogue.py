"""What the catalogue shows."""

from __future__ import annotations

from uuid import UUID

import pytest
from histories import Histories

from services.portal import catalogue
from services.portal.events import ProductCategorised, ProductDelisted, ProductListed, ProductPriced

MUG, BOWL = UUID(int=1), UUID(int=2)


@pytest.fixture
def histories(tmp_path, home) -> Histories:
    return Histories(tmp_path, home)


def listed(histories, product_id, code):
    histories.happened(
        f"product-{product_id}", ProductListed(source="portal", code=code, name=f"A {code}", description=None)
    )


def read(histories, question):
    with histories.fold(catalogue.family).read() as db:
        return question(db)


def test_a_product_shows_its_latest_price_in_each_currency(histories):
    listed(histories, MUG, "MUG")
    for currency, amount in (("EUR", 450), ("GBP", 399), ("EUR", 475)):
        histories.happened(
            f"product-{MUG}", ProductPriced(source="portal", code="MUG", currency=currency, amount_minor=amount)
        )
    shown = read(histories, lambda db: catalogue.found(db, MUG))
    assert (shown.code, shown.name, shown.prices, shown.version) == ("MUG", "A MUG", {"EUR": 475, "GBP": 399}, 3)


def test_products_are_listed_by_their_category(histories):
    listed(histories, MUG, "MUG")
    listed(histories, BOWL, "BOWL")
    for product_id, code, category in ((MUG, "MUG", "Cups"), (BOWL, "BOWL", "Cups"), (BOWL, "BOWL", None)):
        histories.happened(f"product-{product_id}", ProductCategorised(source="portal", code=code, category=category))
    found, _ = read(histories, lambda db: catalogue.listed(db, category="Cups"))
    assert [(product.code, product.category, product.version) for product in found] == [("MUG", "Cups", 1)]


def test_products_are_listed_by_code_with_or_without_those_no_longer_offered(histories):
    listed(histories, MUG, "MUG")
    listed(histories, BOWL, "BOWL")
    histories.happened(f"product-{MUG}", ProductDelisted(source="portal", code="MUG"))

    def codes(**filters):
        return [product.code for product in read(histories, lambda db: catalogue.listed(db, **filters)[0])]

    assert codes() == ["BOWL", "MUG"]
    assert codes(offered=True) == ["BOWL"]
    assert codes(offered=False) == ["MUG"]


def test_a_page_begins_where_the_last_ended(histories):
    for number in range(5):
        listed(histories, UUID(int=number), f"P{number}")
    with histories.fold(catalogue.family).read() as db:
        first, place = catalogue.listed(db, limit=3)
        second, end = catalogue.listed(db, behind=place, limit=3)
    assert [product.code for product in first + second] == ["P0", "P1", "P2", "P3", "P4"]
    assert end is None


def test_a_product_that_nobody_listed_is_none(histories):
    listed(histories, MUG, "MUG")
    assert read(histories, lambda db: catalogue.found(db, BOWL)) is None
