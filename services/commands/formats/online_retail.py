"""Online Retail II: a row per invoice line; invoices that begin with C are credit notes, A bad-debt adjustments."""

from __future__ import annotations

from services.commands.formats import cells
from services.commands.formats.orders import Money, OrderFormat, Tally
from services.commands.formats.records import Line, Placed, Rejected

COLUMNS = ("invoice", "stock_code", "description", "quantity", "invoice_date", "price", "customer_id", "country")
"""The columns that a file must have."""


def read(row: list[str], money: Money, _tally: Tally) -> Placed:
    """One row as a line; a credit note's line comes out positive, the note itself says that it is money back.

    Raises:
        Rejected: When the row has no customer, no price or quantity above 0, or a value that does not read.
    """
    invoice, code, description, quantity, placed_at, price, customer, _country = row
    buyer = cells.customer_id(customer, "customer_id")
    number = cells.code(invoice, "invoice")
    if number[0] in "Aa":
        raise Rejected(f"invoice: {number} is a bad-debt adjustment, not an order")
    credit = number[0] in "Cc"
    moment = cells.instant(placed_at, money.zone, "invoice_date")
    return Placed(number, buyer, moment, credit, _line(code, description, quantity, price, credit, money))


def _line(code: str, description: str, quantity: str, price: str, credit: bool, money: Money) -> Line:
    unit_price = cells.decimal(price, "price")
    if unit_price <= 0:
        raise Rejected(f"price: {price} is not above 0")
    count = cells.whole(quantity, "quantity")
    if credit:
        count = -count
    if count <= 0:
        wanted = "below 0 on a credit note" if credit else "above 0"
        raise Rejected(f"quantity: {quantity} is not {wanted}")
    return Line(
        code=cells.code(code, "stock_code"),
        description=cells.text(description, "description"),
        quantity=count,
        unit_price=format(unit_price, "f"),
        amount_minor=cells.minor(count * unit_price, money.digits, "price"),
    )


ONLINE_RETAIL = OrderFormat("online-retail", COLUMNS, timezone="Europe/London", currency="GBP", read=read)
"""UCI Online Retail II, years 2009 to 2011."""
