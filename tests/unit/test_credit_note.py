"""The rules of credit notes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from services.portal.credit_note import IssueCredit, credit_note
from services.portal.events import CreditIssued, Line
from services.portal.lines import Item, short_number
from shared.testing import Spec

ANNA = UUID(int=1)
NOTE = UUID(int=3)
ORDER = UUID(int=2)


def issue(**changes: Any) -> IssueCredit:
    mug = Item(code="MUG", quantity=1, unit_price="4.50")
    asked = {"credit_note_id": NOTE, "customer_id": ANNA, "number": "C1", "currency": "EUR", "lines": (mug,)}
    return IssueCredit(**asked | changes)


def issued(**changes: Any) -> CreditIssued:
    facts = {
        "customer_id": ANNA,
        "credit_note_id": NOTE,
        "order_id": None,
        "source": "portal",
        "number": "C1",
        "currency": "EUR",
        "business_day": 20514,
        "lines": (Line(ordinal=1, code="MUG", description=None, quantity=1, unit_price="4.50", amount_minor=450),),
        "line_count": 1,
        "quantity": 1,
        "total_minor": 450,
    }
    return CreditIssued(**facts | changes)


def test_a_credit_note_needs_no_order():
    Spec(credit_note).when(issue()).then(issued())


def test_a_credit_note_may_name_its_order():
    Spec(credit_note).when(issue(order_id=ORDER)).then(issued(order_id=ORDER))


def test_a_credit_note_without_a_number_gets_a_short_one_of_its_id():
    Spec(credit_note).when(issue(number=None)).then(issued(number=short_number(NOTE)))


@pytest.mark.parametrize("lines", [(), (Item(code="MUG", quantity=1, amount_minor=0),)])
def test_a_credit_note_of_nothing_is_refused(lines):
    Spec(credit_note).when(issue(lines=lines)).refused(field="lines")


def test_a_credit_note_that_no_event_carries_is_refused():
    long = Item(code="MUG", description="€" * 200, quantity=1, amount_minor=1)
    Spec(credit_note).when(issue(lines=(long,) * 400)).refused(field="lines")


def test_a_credit_note_is_issued_once():
    Spec(credit_note).given(issued()).when(issue()).refused(kind="conflict", field="number")
