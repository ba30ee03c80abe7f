"""A shop for tests: what it sold to whom, told in its own words."""

from uuid import uuid5

from histories import Histories

from services.analytics.events import ModelFitted
from services.analytics.purchase_days import family as rhythm
from services.contacts.events import (
    Alias,
    CustomerRegistered,
    CustomersMerged,
    CustomersUnmerged,
    IdentifierLinked,
    SubjectErased,
)
from services.portal.events import CreditIssued, Line, OrderCancelled, OrderPlaced, OrderRefunded, ProductCategorised
from shared.ids import NS

DAY = 14_600


def customer_id(name):
    return uuid5(NS, f"customer {name}")


def order_id(number):
    return uuid5(NS, f"order {number}")


def lines(*amounts):
    return tuple(
        Line(ordinal=place, code=f"P{place}", description=None, quantity=place, unit_price=None, amount_minor=amount)
        for place, amount in enumerate(amounts, start=1)
    )


def money_of(*amounts):
    found = lines(*amounts)
    return {
        "lines": found,
        "line_count": len(found),
        "quantity": sum(line.quantity for line in found),
        "total_minor": sum(amounts),
    }


class Shop:
    """Tells a history in the words of a shop."""

    def __init__(self, folder, home):
        self.histories = Histories(folder, home)

    def knows(self, name, *names):
        aliases = [alias.split(":") for alias in names]
        first = Alias(source=aliases[0][0], outside_id=aliases[0][1]) if aliases else None
        id_ = customer_id(name)
        self._tell(
            "customer",
            id_,
            CustomerRegistered(
                customer_id=id_, kind="individual", name=None, country=None, internal=False, alias=first
            ),
        )
        for source, outside_id in aliases[1:]:
            self._tell("customer", id_, IdentifierLinked(customer_id=id_, source=source, outside_id=outside_id))

    def sells(self, number, name, day, *amounts, currency="GBP"):
        event = OrderPlaced(
            **self._of(number, name), number=number, business_day=day, currency=currency, **money_of(*amounts)
        )
        self._tell("order", order_id(number), event)

    def takes_back(self, number, name, day, *amounts, refunded=0, currency="GBP"):
        event = OrderCancelled(
            **self._of(number, name),
            number=number,
            order_day=day,
            business_day=day + 3,
            currency=currency,
            refunded_minor=refunded,
            reason=None,
            **money_of(*amounts),
        )
        self._tell("order", order_id(number), event)

    def refunds(self, number, name, day, amount, currency="GBP"):
        event = OrderRefunded(
            **self._of(number, name),
            order_day=day,
            business_day=day + 5,
            amount_minor=amount,
            currency=currency,
            reason=None,
        )
        self._tell("order", order_id(number), event)

    def credits(self, number, name, day, *amounts, currency="GBP"):
        note_id = uuid5(NS, f"note {number}")
        event = CreditIssued(
            customer_id=customer_id(name),
            credit_note_id=note_id,
            order_id=None,
            source="shop",
            number=number,
            currency=currency,
            business_day=day,
            **money_of(*amounts),
        )
        self._tell("credit-note", note_id, event)

    def merges(self, name, into):
        event = CustomersMerged(customer_id=customer_id(name), survivor_id=customer_id(into), reason=None)
        self._tell("customer", customer_id(name), event)

    def unmerges(self, name, into):
        event = CustomersUnmerged(customer_id=customer_id(name), survivor_id=customer_id(into))
        self._tell("customer", customer_id(name), event)

    def erases(self, name):
        self._tell(
            "customer", customer_id(name), SubjectErased(customer_id=customer_id(name), reason=None, absorbed=())
        )

    def puts(self, code, category):
        """A product into a category."""
        event = ProductCategorised(source="shop", code=code, category=category)
        self._tell("product", uuid5(NS, f"product {code}"), event)

    def fits(self, day, model="mbg_nbd", currency="GBP"):
        """A model at the close of a day."""
        event = ModelFitted(
            model=model,
            version=f"{model}-{day}",
            as_of=day,
            currency=currency,
            unit="week",
            parameters={"r": 0.5, "alpha": 6.0, "a": 0.8, "b": 2.0},
            n=40,
            log_likelihood=-95.0,
            flags=(),
            backtest=None,
        )
        self.histories.happened(f"day-{day}", event)

    def read(self, **how):
        return self.histories.fold(rhythm, **how).read()

    def _of(self, number, name):
        return {"customer_id": customer_id(name), "order_id": order_id(number), "source": "shop"}

    def _tell(self, category, id_, event):
        self.histories.happened(f"{category}-{id_}", event)
