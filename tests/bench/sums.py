"""Five sums at once over the shop's events, as projections of the product: those of the measured prototype."""

import sqlalchemy as sa
from shop import InteractionLogged, OrderPlaced, SatisfactionRated

from shared.projections import Family, Subject, Sum, Text, Whole, f
from shared.projections.generation import Generation

customer = Subject("customer")

days = Sum("customer_days", key=(customer, Text("currency"), Whole("day")), adds=("orders",))
days.on(OrderPlaced, currency=f.currency, day=f.business_day, orders=+1)

money = Sum("customer_money", key=(customer, Text("currency")), adds=("gross",))
money.on(OrderPlaced, each=f.lines, currency=f.currency, gross=f.lines.quantity * f.lines.unit_price_minor)

products = Sum("customer_products", key=(customer, Text("product")), adds=("lines", "quantity", "gross"))
products.on(
    OrderPlaced,
    each=f.lines,
    product=f.lines.sku,
    lines=+1,
    quantity=f.lines.quantity,
    gross=f.lines.quantity * f.lines.unit_price_minor,
)

contacts = Sum("contacts", key=(customer,), adds=("number", "seconds"))
contacts.on(InteractionLogged, number=+1, seconds=f.duration_s)

answers = Sum("answers", key=(customer, Whole("score")), adds=("number",))
answers.on(SatisfactionRated, score=f.score, number=+1)

family = Family("sums", version=1, tables=(days, money, products, contacts, answers))


def figures(generation: Generation) -> list[int]:
    """Rows and totals of every table, as `prototype_sums.py` gives them too."""
    found: list[int] = []
    with generation.read() as snapshot:
        for table in family.sums:
            totals = ", ".join(f"sum({name})" for name in table.adds)
            found += map(int, snapshot.execute(sa.text(f"SELECT count(*), {totals} FROM {table.name}__sums")).one())
    return found
