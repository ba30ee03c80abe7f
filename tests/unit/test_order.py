"""The rules of orders, each as given, when, then."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.portal.events import Line, OrderCancelled, OrderPlaced, OrderRefunded
from services.portal.lines import _ALWAYS_FIT, _ROOM, Item, short_number
from services.portal.order import CancelOrder, PlaceOrder, RefundOrder, order
from shared.errors import Refused
from shared.store import MAX_EVENT_BYTES
from shared.testing import Spec

ANNA = UUID(int=1)
ORDER = UUID(int=2)
DAY = 20514  # 2026-03-02, the day of the spec's clock
MUG = Item(code="MUG", description="Red mug", quantity=2, unit_price="4.50")
BOWL = Item(code="BOWL", quantity=1, amount_minor=1200)


def place(**changes: Any) -> PlaceOrder:
    asked = {"order_id": ORDER, "customer_id": ANNA, "number": "1001", "currency": "EUR", "lines": (MUG, BOWL)}
    return PlaceOrder(**asked | changes)


def placed(**changes: Any) -> OrderPlaced:
    facts = {
        "customer_id": ANNA,
        "order_id": ORDER,
        "source": "portal",
        "number": "1001",
        "currency": "EUR",
        "business_day": DAY,
        "lines": (
            Line(ordinal=1, code="MUG", description="Red mug", quantity=2, unit_price="4.50", amount_minor=900),
            Line(ordinal=2, code="BOWL", description=None, quantity=1, unit_price=None, amount_minor=1200),
        ),
        "line_count": 2,
        "quantity": 3,
        "total_minor": 2100,
    }
    return OrderPlaced(**facts | changes)


def refunded(amount: int, *, day: int = DAY, reason: str | None = None) -> OrderRefunded:
    return OrderRefunded(
        customer_id=ANNA,
        order_id=ORDER,
        source="portal",
        currency="EUR",
        order_day=DAY,
        business_day=day,
        amount_minor=amount,
        reason=reason,
    )


def cancelled(*, day: int = DAY, refunded_minor: int = 0, reason: str | None = None) -> OrderCancelled:
    repeated = placed()
    return OrderCancelled(
        customer_id=ANNA,
        order_id=ORDER,
        source="portal",
        number="1001",
        currency="EUR",
        order_day=DAY,
        business_day=day,
        lines=repeated.lines,
        line_count=2,
        quantity=3,
        total_minor=2100,
        refunded_minor=refunded_minor,
        reason=reason,
    )


def test_a_placed_order_carries_its_lines_and_what_they_add_up_to():
    Spec(order).when(place()).then(placed())


def test_an_order_without_a_number_gets_a_short_one_of_its_id():
    Spec(order).when(place(number=None)).then(placed(number=short_number(ORDER)))


def test_the_business_day_is_that_of_the_orders_own_zone():
    late = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    Spec(order).when(place(occurred_at=late, timezone="Europe/Zagreb")).then(placed())
    Spec(order).when(place(occurred_at=late, timezone="UTC")).then(placed(business_day=DAY - 1))


def test_an_order_of_amount_zero_is_an_order():
    line = Line(ordinal=1, code="cd", description=None, quantity=1, unit_price=None, amount_minor=0)
    Spec(order).when(place(lines=(Item(code="cd", quantity=1, amount_minor=0),))).then(
        placed(lines=(line,), line_count=1, quantity=1, total_minor=0)
    )


def test_an_order_without_lines_is_refused():
    Spec(order).when(place(lines=())).refused(field="lines")


def test_an_order_is_placed_once():
    message = Spec(order).given(placed()).when(place()).refused(kind="conflict", field="number")
    assert "1001" in message


def test_a_cancelled_order_cannot_be_placed_again():
    Spec(order).given(placed(), cancelled()).when(place()).refused(kind="conflict", field="number")


def test_fifteen_hundred_short_lines_fit_and_more_are_not_valid():
    Spec(order).when(place(lines=(MUG,) * 1500)).decided()
    with pytest.raises(ValidationError, match="1500"):
        place(lines=(MUG,) * 1501)


def test_long_lines_are_refused_while_the_cancellation_of_what_is_placed_always_fits():
    long = Item(code="É" * 64, description="€" * 200, quantity=1, unit_price="1")
    message = Spec(order).when(place(lines=(long,) * 400)).refused(field="lines")
    assert "400" in message
    largest = Spec(order).when(place(lines=(long,) * 280)).decided()
    [taken_back] = Spec(order).given(*largest).when(CancelOrder(reason="€" * 200)).decided()
    assert len(taken_back.model_dump_json().encode()) < MAX_EVENT_BYTES - 2048


def test_lines_so_few_that_nobody_measures_them_fit_whatever_they_say():
    longest = Item(
        code="\U0001f600" * 64, description='"' + "\U0001f600" * 199, quantity=2**31, unit_price="327.679999"
    )
    [event] = Spec(order).when(place(lines=(longest,) * _ALWAYS_FIT)).decided()
    assert len(event.model_dump_json().encode()) < MAX_EVENT_BYTES - _ROOM


def test_a_cancellation_repeats_the_order_and_its_day():
    later = datetime(2026, 3, 5, 12, tzinfo=UTC)
    Spec(order).given(placed()).when(CancelOrder(occurred_at=later, reason="changed her mind")).then(
        cancelled(day=DAY + 3, reason="changed her mind")
    )


def test_a_cancellation_repeats_what_was_refunded():
    Spec(order).given(placed(), refunded(300), refunded(50)).when(CancelOrder()).then(cancelled(refunded_minor=350))


def test_a_refund_keeps_the_day_of_the_order_beside_its_own():
    later = datetime(2026, 3, 5, 12, tzinfo=UTC)
    Spec(order).given(placed()).when(RefundOrder(amount_minor=900, reason="a crack", occurred_at=later)).then(
        refunded(900, day=DAY + 3, reason="a crack")
    )


def test_an_order_is_refunded_in_parts_until_nothing_is_left():
    Spec(order).given(placed(), refunded(900)).when(RefundOrder(amount_minor=1200)).then(refunded(1200))
    message = (
        Spec(order).given(placed(), refunded(900)).when(RefundOrder(amount_minor=1201)).refused(field="amount_minor")
    )
    assert "1200" in message


@pytest.mark.parametrize("amount", [0, -1])
def test_a_refund_is_above_zero(amount):
    with pytest.raises(ValidationError, match="greater than 0"):
        RefundOrder(amount_minor=amount)


@pytest.mark.parametrize("command", [CancelOrder(), RefundOrder(amount_minor=1)])
def test_an_unknown_order_is_missing(command):
    Spec(order).when(command).refused(kind="missing")


@pytest.mark.parametrize("command", [CancelOrder(), RefundOrder(amount_minor=1)])
def test_a_cancelled_order_changes_no_more(command):
    Spec(order).given(placed(), cancelled()).when(command).refused(kind="conflict")


COMMANDS = st.one_of(
    st.builds(place),
    st.builds(CancelOrder),
    st.builds(RefundOrder, amount_minor=st.integers(1, 2500)),
)


@given(st.lists(COMMANDS, max_size=12))
def test_whatever_is_asked_no_more_is_refunded_than_was_paid(commands):
    events = []
    for command in commands:
        try:
            events += Spec(order).given(*events).when(command).decided()
        except Refused:
            continue
    paid = sum(event.total_minor for event in events if isinstance(event, OrderPlaced))
    back = sum(event.amount_minor for event in events if isinstance(event, OrderRefunded))
    ends = [event for event in events if isinstance(event, OrderCancelled)]
    assert back <= paid
    assert len(ends) <= 1
    if ends:
        assert events[-1] is ends[0]
        assert (ends[0].total_minor, ends[0].refunded_minor) == (paid, back)
