"""What the read model of orders shows, however the events arrive."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from histories import Histories

from services.contacts.events import Alias, CustomerRegistered, CustomerRenamed, IdentifierLinked
from services.portal import credit_notes, orders, totals
from services.portal.credit_note import IssueCredit, credit_note
from services.portal.events import OrderPlaced
from services.portal.lines import Item
from services.portal.order import CancelOrder, PlaceOrder, RefundOrder, order
from shared.projections.kit import Kit
from shared.testing import Spec

ANNA, BEN = UUID(int=1), UUID(int=2)
MUG = Item(code="MUG", description="Red mug", quantity=2, unit_price="4.50")


class Shop:
    """Orders as they are decided, with what was decided before."""

    def __init__(self, folder, home) -> None:
        self.histories = Histories(folder, home)
        self._past = {}

    def ask(self, decider, id_, command, *, at=None) -> None:
        stream = f"{decider.category}-{id_}"
        past = self._past.setdefault(stream, [])
        for event in Spec(decider).given(*past).when(command).decided():
            past.append(event)
            self.histories.happened(stream, event, at=at)

    def place(self, number: int, customer: UUID = ANNA, *, currency: str = "EUR", at=None) -> UUID:
        order_id = UUID(int=1000 + number)
        self.ask(
            order,
            order_id,
            PlaceOrder(order_id=order_id, customer_id=customer, number=str(number), currency=currency, lines=(MUG,)),
            at=at,
        )
        return order_id

    def cancel(self, order_id: UUID, reason: str | None = None) -> None:
        self.ask(order, order_id, CancelOrder(reason=reason))

    def refund(self, order_id: UUID, amount: int, reason: str | None = None) -> None:
        self.ask(order, order_id, RefundOrder(amount_minor=amount, reason=reason))

    def credit(self, number: int, customer: UUID = ANNA, order_id: UUID | None = None) -> UUID:
        note_id = UUID(int=2000 + number)
        self.ask(
            credit_note,
            note_id,
            IssueCredit(credit_note_id=note_id, customer_id=customer, order_id=order_id, currency="EUR", lines=(MUG,)),
        )
        return note_id

    def read(self, question):
        with self.histories.fold(orders.family).read() as db:
            return question(db)


@pytest.fixture
def shop(tmp_path, home) -> Shop:
    return Shop(tmp_path, home)


def test_an_order_shows_its_lines_and_what_happened_to_it(shop):
    order_id = shop.place(1)
    shop.refund(order_id, 300, "a crack")
    shown = shop.read(lambda db: orders.found(db, order_id))
    assert (shown.id, shown.customer_id, shown.number) == (order_id, ANNA, "1")
    assert (shown.total_minor, shown.refunded_minor, shown.status) == (900, 300, "partly_refunded")
    assert shown.business_day == date(2026, 3, 2)
    assert shown.version == 1
    assert [(line.ordinal, line.code, line.amount_minor) for line in shown.lines] == [(1, "MUG", 900)]
    assert [(one.what, one.amount_minor, one.reason, one.position) for one in shown.history] == [
        ("placed", 900, None, 1),
        ("refunded", 300, "a crack", 2),
    ]


def test_an_order_that_is_refunded_whole_says_so(shop):
    order_id = shop.place(1)
    shop.refund(order_id, 500)
    shop.refund(order_id, 400)
    assert shop.read(lambda db: orders.found(db, order_id)).status == "refunded"


def test_an_order_that_nobody_placed_is_none(shop):
    shop.place(1)
    assert shop.read(lambda db: orders.found(db, UUID(int=9))) is None


def test_orders_are_listed_newest_first_and_every_page_begins_where_the_last_ended(shop):
    same = datetime(2026, 3, 2, 12, tzinfo=UTC)
    ids = [shop.place(number, at=same) for number in range(7)]
    with shop.histories.fold(orders.family).read() as db:
        seen, place, pages = [], None, 0
        while pages == 0 or place:
            rows, place = orders.listed(db, behind=place, limit=3)
            seen += [row.id for row in rows]
            pages += 1
    assert seen == sorted(ids, reverse=True)
    assert pages == 3


def test_orders_are_filtered_by_customer_status_and_number(shop):
    first, second, third = shop.place(1), shop.place(2, BEN), shop.place(3)
    shop.cancel(third)

    def ids(**filters):
        return [row.id for row in shop.read(lambda db: orders.listed(db, **filters)[0])]

    assert ids(customer_id=ANNA) == [third, first]
    assert ids(status="cancelled") == [third]
    assert ids(number="2") == [second]
    assert ids(customer_id=BEN, status="cancelled") == []


def test_a_cancelled_order_takes_its_money_and_its_refunds_out_of_the_totals(shop):
    kept, taken_back = shop.place(1), shop.place(2)
    shop.refund(taken_back, 200)
    shop.cancel(taken_back, "changed her mind")
    shop.refund(kept, 100)
    shop.credit(1)
    shop.place(3, currency="GBP")
    euros, pounds = shop.read(lambda db: totals.of_customer(db, ANNA))
    assert (euros.currency, euros.orders, euros.gross_minor, euros.refunded_minor) == ("EUR", 1, 900, 100)
    assert (euros.credit_notes, euros.credit_minor, euros.net_minor) == (1, 900, -100)
    assert (pounds.currency, pounds.orders, pounds.net_minor) == ("GBP", 1, 900)


def test_a_customer_whose_only_order_is_cancelled_has_no_totals(shop):
    shop.cancel(shop.place(1))
    assert shop.read(lambda db: totals.of_customer(db, ANNA)) == []


def test_credit_notes_are_found_by_id_by_customer_and_by_order(shop):
    order_id = shop.place(1)
    loose, bound = shop.credit(1, BEN), shop.credit(2, ANNA, order_id)
    shown = shop.read(lambda db: credit_notes.found(db, bound))
    assert (shown.customer_id, shown.order_id, shown.total_minor) == (ANNA, order_id, 900)
    assert shown.lines[0].code == "MUG"
    assert [note.id for note in shop.read(lambda db: credit_notes.of_order(db, order_id))] == [bound]
    assert [note.id for note in shop.read(lambda db: credit_notes.listed(db, customer_id=BEN)[0])] == [loose]
    assert shop.read(lambda db: credit_notes.found(db, UUID(int=9))) is None


def test_credit_notes_are_paged(shop):
    ids = [shop.credit(number) for number in range(3)]
    with shop.histories.fold(orders.family).read() as db:
        first, place = credit_notes.listed(db, limit=2)
        second, end = credit_notes.listed(db, behind=place, limit=2)
    assert [note.id for note in first + second] == ids[::-1]
    assert end is None


def test_the_tables_are_the_same_in_any_order_in_any_partitions_and_after_any_crash(tmp_path, kit_home):
    shop = Shop(tmp_path, kit_home)
    for number in range(24):
        customer = UUID(int=number % 5 + 1)
        order_id = shop.place(number, customer, currency="GBP" if number % 7 == 0 else "EUR")
        if number % 2 == 0:
            shop.refund(order_id, 100 + number)
        if number % 3 == 0:
            shop.cancel(order_id)
        if number % 4 == 0:
            shop.credit(number, customer, order_id)
    for number in range(1, 4):
        customer = UUID(int=number)
        facts = {"kind": "individual", "country": None, "internal": False, "alias": None}
        registered = CustomerRegistered(customer_id=customer, name=f"Customer {number}", **facts)
        shop.histories.happened(f"customer-{customer}", registered)
    kit = Kit(orders.family, shop.histories.events, shop.histories.codec, shop.histories.home)
    assert all(rows for rows, _ in kit.expected.values())
    kit.prove()


def test_an_order_says_what_the_event_said(shop):
    order_id = shop.place(1)
    [placed] = [shop.histories.codec.decode(event) for event in shop.histories.events]
    assert isinstance(placed, OrderPlaced)
    shown = shop.read(lambda db: orders.found(db, order_id))
    assert shown.lines == list(placed.lines)


def test_a_customer_is_called_by_name_else_by_the_alias_of_another_system(shop):
    for number, customer in enumerate((ANNA, BEN, UUID(int=3))):
        shop.place(number, customer)
    known = {"kind": "individual", "country": None, "internal": False}
    alias = Alias(source="shop", outside_id="12748")
    shop.histories.happened(f"customer-{ANNA}", CustomerRegistered(customer_id=ANNA, name=None, alias=alias, **known))
    shop.histories.happened(f"customer-{ANNA}", CustomerRenamed(customer_id=ANNA, name="Anna Kovač"))
    shop.histories.happened(f"customer-{BEN}", CustomerRegistered(customer_id=BEN, name=None, alias=None, **known))
    shop.histories.happened(f"customer-{BEN}", IdentifierLinked(customer_id=BEN, source="shop", outside_id="17850"))
    rows = shop.read(lambda db: orders.listed(db)[0])
    assert [row.buyer for row in rows] == [None, "17850", "Anna Kovač"]
