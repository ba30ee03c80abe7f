"""Event logs: a row per purchase, nothing but who and when; the n-th row of a customer on a date is the order."""

from __future__ import annotations

from services.commands.formats import cells
from services.commands.formats.orders import Money, OrderFormat, Tally
from services.commands.formats.records import Line, Placed

COLUMNS = ("customer", "date")
"""The columns that a file must have; `cust` is read as customer, as BTYDplus writes it."""


def read(row: list[str], money: Money, tally: Tally) -> Placed:
    """One row as an order of one piece; the log knows no money, so the amount is 0.

    Raises:
        Rejected: When there is no customer or the date does not read.
    """
    customer, date = row
    buyer = cells.customer_id(customer, "customer")
    bought_on, moment = cells.day(date, money.zone, "date")
    number = f"{buyer}/{bought_on}/{tally.next(f'{buyer}/{bought_on}')}"
    line = Line(code="purchase", description=None, quantity=1, unit_price=None, amount_minor=0)
    return Placed(number, buyer, moment, credit=False, line=line)


ELOG = OrderFormat(
    "elog", COLUMNS, timezone="UTC", currency="USD", read=read, also=(("cust", "customer"),), customer="customer"
)
"""Purchases as BTYDplus keeps them; the currency is that of amounts that are all 0."""
