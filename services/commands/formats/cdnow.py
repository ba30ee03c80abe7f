"""CDNOW: one row per purchase, without an order number; the n-th row of a customer on a date is the order."""

from __future__ import annotations

from services.commands.formats import cells
from services.commands.formats.orders import Money, OrderFormat, Tally
from services.commands.formats.records import Line, Placed, Rejected

COLUMNS = ("customer_id", "date", "quantity", "amount")
"""The columns that a file must have."""


def read(row: list[str], money: Money, tally: Tally) -> Placed:
    """One row as an order of one line; an amount of 0 is a purchase too.

    Raises:
        Rejected: When a value does not read, the quantity is not above 0 or the amount is below 0.
    """
    customer, date, quantity, amount = row
    buyer = cells.customer_id(customer, "customer_id")
    bought_on, moment = cells.day(date, money.zone, "date")
    # Counted before the rest is checked: a row mended later must not renumber the rows after it.
    number = f"{buyer}/{bought_on}/{tally.next(f'{buyer}/{bought_on}')}"
    count = cells.whole(quantity, "quantity")
    if count <= 0:
        raise Rejected(f"quantity: {quantity} is not above 0")
    paid = cells.decimal(amount, "amount")
    if paid < 0:
        raise Rejected(f"amount: {amount} is below 0")
    minor = cells.minor(paid, money.digits, "amount")
    line = Line(code="cd", description=None, quantity=count, unit_price=None, amount_minor=minor)
    return Placed(number, buyer, moment, credit=False, line=line)


CDNOW = OrderFormat("cdnow", COLUMNS, timezone="UTC", currency="USD", read=read)
"""CDNOW purchase history, 1997 and 1998."""
