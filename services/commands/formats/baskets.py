"""Complete Journey: a row per product in a household's basket, with what was paid for all pieces together."""

from __future__ import annotations

from services.commands.formats import cells
from services.commands.formats.orders import Money, OrderFormat, Tally
from services.commands.formats.records import Line, Placed, Rejected

COLUMNS = ("household_id", "basket_id", "ts", "product_id", "quantity", "sales_value")
"""The columns that a file must have; `ts` is the date and time of the basket."""


def read(row: list[str], money: Money, _tally: Tally) -> Placed:
    """One row as a line of its basket; what was given away for nothing is no purchase.

    Raises:
        Rejected: When the quantity or the sales value is not above 0, or a value does not read.
    """
    household, basket, bought_at, product, quantity, value = row
    buyer = cells.customer_id(household, "household_id")
    number = cells.code(basket, "basket_id")
    moment = cells.instant(bought_at, money.zone, "ts")
    return Placed(number, buyer, moment, credit=False, line=_line(product, quantity, value, money))


def _line(product: str, quantity: str, value: str, money: Money) -> Line:
    # The quantity first: the value of no pieces can be the rest of a float, such as 4.440892e-16.
    count = cells.whole(quantity, "quantity")
    if count <= 0:
        raise Rejected(f"quantity: {quantity} is not above 0")
    paid = cells.decimal(value, "sales_value")
    if paid <= 0:
        raise Rejected(f"sales_value: {value} is not above 0")
    return Line(
        code=cells.code(product, "product_id"),
        description=None,
        quantity=count,
        unit_price=None,
        amount_minor=cells.minor(paid, money.digits, "sales_value"),
    )


BASKETS = OrderFormat("baskets", COLUMNS, timezone="UTC", currency="USD", read=read, customer="household_id")
"""The Complete Journey's transactions, 2017; the day of a basket is the date as the file writes it."""
