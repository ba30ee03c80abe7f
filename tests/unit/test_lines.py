"""Lines of orders and credit notes are priced in whole minor units, or refused with the field."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from services.portal.lines import Item, Source, priced, short_number, total
from shared.errors import Refused

PRICES = st.decimals(min_value=0, max_value=Decimal(999999999999), places=6).map(lambda price: format(price, "f"))


def amount(quantity: int, unit_price: str, currency: str = "EUR", amount_minor: int | None = None) -> int:
    item = Item(code="A", quantity=quantity, unit_price=unit_price, amount_minor=amount_minor)
    return priced([item], currency)[0].amount_minor


@pytest.mark.parametrize(
    ("quantity", "unit_price", "currency", "expected"),
    [
        (3, "6.95", "EUR", 2085),
        (1, "0.005", "EUR", 1),
        (1, "0.001", "GBP", 0),
        (25, "0.001", "GBP", 3),
        (2, "150.5", "JPY", 301),
        (1, "0.5", "JPY", 1),
        (1, "1.2345", "KWD", 1235),
        (1, "0", "EUR", 0),
    ],
)
def test_an_amount_is_quantity_times_price_with_halves_rounded_up(quantity, unit_price, currency, expected):
    assert amount(quantity, unit_price, currency) == expected


@given(quantity=st.integers(1, 2**16), unit_price=PRICES)
def test_rounding_is_exact_for_every_price(quantity, unit_price):
    exact = Fraction(unit_price) * quantity * 100
    if exact < 2**53 - 1:
        assert amount(quantity, unit_price) == int(exact + Fraction(1, 2))


@pytest.mark.parametrize("given_amount", [2084, 2085, 2086])
def test_a_given_amount_may_differ_by_one_and_is_kept(given_amount):
    assert amount(3, "6.95", amount_minor=given_amount) == given_amount


@pytest.mark.parametrize("given_amount", [0, 2083, 2087])
def test_a_given_amount_that_differs_by_more_is_refused_with_what_it_must_be(given_amount):
    with pytest.raises(Refused, match="2085") as refusal:
        amount(3, "6.95", amount_minor=given_amount)
    assert refusal.value.field == "lines[0].amount_minor"


def test_an_amount_of_zero_without_a_price_is_an_amount():
    assert priced([Item(code="cd", quantity=2, amount_minor=0)], "USD")[0].amount_minor == 0


def test_a_line_without_amount_and_price_is_refused_by_its_place():
    items = [Item(code="A", quantity=1, amount_minor=1), Item(code="B", quantity=1)]
    with pytest.raises(Refused, match="unit price") as refusal:
        priced(items, "EUR")
    assert refusal.value.field == "lines[1].amount_minor"


def test_no_line_is_refused():
    with pytest.raises(Refused, match="at least one") as refusal:
        priced([], "EUR")
    assert refusal.value.field == "lines"


def test_an_amount_that_no_number_carries_is_refused():
    with pytest.raises(Refused, match="carry") as refusal:
        amount(2**31, "999999999999.999999", "KWD")
    assert refusal.value.field == "lines[0].amount_minor"


def test_a_total_that_no_number_carries_is_refused():
    lines = priced([Item(code="A", quantity=1, amount_minor=2**52)] * 2, "EUR")
    with pytest.raises(Refused, match="carry"):
        total(lines)


def test_equal_lines_stay_apart_by_their_ordinal():
    lines = priced([Item(code="A", quantity=1, amount_minor=5)] * 3, "EUR")
    assert [line.ordinal for line in lines] == [1, 2, 3]
    assert total(lines) == 15


@pytest.mark.parametrize("wrong", [{"quantity": 0}, {"quantity": -1}, {"amount_minor": -1}, {"unit_price": "-1"}])
def test_negative_lines_are_not_valid(wrong):
    with pytest.raises(ValidationError):
        Item.model_validate({"code": "A", "quantity": 1, "amount_minor": 1} | wrong)


@pytest.mark.parametrize("name", ["", "a/b", "Webshop", "-x", "a b", "x" * 65])
def test_a_source_is_a_short_plain_name(name):
    with pytest.raises(ValidationError, match="short name"):
        TypeAdapter(Source).validate_python(name)


def test_a_short_number_is_the_same_for_the_same_id_and_another_for_another():
    order_id = UUID("1fd4d0ee-6c3e-5d3b-9d3f-0c5b7a5b1c2e")
    assert short_number(order_id) == "RCBDX-5P71E"
    assert len({short_number(uuid4()) for _ in range(1000)}) == 1000
