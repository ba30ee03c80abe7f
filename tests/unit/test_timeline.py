"""What the timeline shows of a customer, however the events arrive."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from histories import FIRST, Histories

from services.contacts.events import (
    AddressMoved,
    Alias,
    ContactPointAdded,
    ContactPointCorrected,
    ContactPointRemoved,
    CountryCorrected,
    CustomerRegistered,
    CustomerRenamed,
    IdentifierLinked,
    KindCorrected,
)
from services.interactions import interactions, names, timeline
from services.interactions.interaction import CorrectInteraction, RecordInteraction, interaction
from services.interactions.lines import LINE_KINDS
from services.interactions.words import LINE_KINDS as CALLED
from services.interactions.words import PICTURES, tell
from services.portal.events import CreditIssued, Line, OrderCancelled, OrderPlaced, OrderRefunded
from shared.projections.kit import Kit
from shared.testing import Spec
from shared.web.formats import Formats
from shared.web.i18n import translations

ANNA, BEN = UUID(int=1), UUID(int=2)
ORDER = UUID(int=1001)
MUG = Line(ordinal=1, code="MUG", description=None, quantity=2, unit_price="4.50", amount_minor=900)
SOLD = {"lines": (MUG,), "line_count": 1, "quantity": 2, "total_minor": 900}


class Desk:
    """Contacts as they are decided, beside whatever else happens with customers."""

    def __init__(self, folder, home) -> None:
        self.histories = Histories(folder, home)
        self._past = {}

    def record(self, number: int, customer: UUID = ANNA, *, at: datetime | None = None, **changes) -> UUID:
        said = {"kind": "phone_call", "direction": "inbound", "summary": "asks for mugs", "handler": "staff:jdewit"}
        id_ = UUID(int=3000 + number)
        self._ask(id_, RecordInteraction(interaction_id=id_, customer_id=customer, **said | changes), at)
        return id_

    def correct(self, id_: UUID, *, at: datetime | None = None, **changes) -> None:
        self._ask(id_, CorrectInteraction(reason="wrong", **changes), at)

    def _ask(self, id_, command, at) -> None:
        past = self._past.setdefault(id_, [])
        for event in Spec(interaction).given(*past).when(command).decided():
            past.append(event)
            self.histories.happened(f"interaction-{id_}", event, at=at)

    def contacts(self, event, customer: UUID = ANNA) -> None:
        self.histories.happened(f"customer-{customer}", event)

    def everything(self, customer: UUID = ANNA) -> None:
        """One event of every type that the timeline shows."""
        self.contacts(registered(customer, alias=Alias(source="shop", outside_id="7")), customer)
        self.contacts(CustomerRenamed(customer_id=customer, name="Anna Kovač"), customer)
        self.contacts(KindCorrected(customer_id=customer, kind="household"), customer)
        self.contacts(CountryCorrected(customer_id=customer, country="NL"), customer)
        point = {"customer_id": customer, "point": 1, "channel": "email"}
        self.contacts(ContactPointAdded(**point, value="anna@example.org", purpose="home"), customer)
        self.contacts(ContactPointCorrected(**point, value="a@example.org", purpose="home"), customer)
        self.contacts(ContactPointRemoved(**point), customer)
        address = {"lines": "Damrak 1", "postal_code": "1012 LG", "city": "Amsterdam", "country": "NL"}
        self.contacts(AddressMoved(customer_id=customer, **address), customer)
        self.contacts(IdentifierLinked(customer_id=customer, source="cdnow", outside_id="00042"), customer)
        self.orders(customer)
        self.correct(self.record(customer.int, customer), kind="visit")

    def orders(self, customer: UUID = ANNA) -> None:
        order = {"customer_id": customer, "order_id": ORDER, "source": "shop", "currency": "EUR", "business_day": 20514}
        again = {"order_day": 20514, "reason": "a crack"}
        stream = f"order-{ORDER}-{customer.int}"
        self.histories.happened(stream, OrderPlaced(**order, **SOLD, number="1001"))
        self.histories.happened(stream, OrderRefunded(**order, **again, amount_minor=300))
        cancelled = OrderCancelled(**order, **again, **SOLD, number="1001", refunded_minor=300)
        self.histories.happened(stream, cancelled)
        note = {**order, **SOLD, "number": "C1"}
        self.histories.happened(f"credit-note-{customer}", CreditIssued(**note, credit_note_id=customer))

    def read(self, question, **how):
        with self.histories.fold(timeline.family, **how).read() as db:
            return question(db)

    def lines(self, customer: UUID = ANNA, **filters):
        return self.read(lambda db: timeline.of_customer(db, customer, limit=50, **filters)[0])


def registered(customer: UUID = ANNA, **changes):
    facts = {"kind": "individual", "name": None, "country": None, "internal": False, "alias": None}
    return CustomerRegistered(customer_id=customer, **facts | changes)


@pytest.fixture
def desk(tmp_path, home) -> Desk:
    return Desk(tmp_path, home)


def test_everything_that_happens_with_a_customer_is_a_line_newest_first(desk):
    desk.everything()
    lines = desk.lines()
    assert [line.position for line in lines] == list(range(15, 0, -1))
    assert {line.customer_id for line in lines} == {ANNA}
    assert {line.type for line in lines} == set(timeline.lines.types)


def test_a_line_says_what_happened_when_and_who_entered_it(desk):
    desk.record(1, at=FIRST, summary="asks when the red mugs come back", duration_minutes=12)
    (line,) = desk.lines()
    assert (line.kind, line.summary, line.actor) == ("phone_call", "asks when the red mugs come back", "staff:jdewit")
    assert (line.occurred_at, line.stream) == (FIRST, f"interaction-{UUID(int=3001)}")
    assert line.title["duration_minutes"] == 12
    assert not line.corrected


def test_a_correction_is_a_line_of_its_own_and_the_first_stays_readable(desk):
    id_ = desk.record(1)
    desk.correct(id_, summary="asks for bowls")
    desk.correct(id_, kind="visit")
    shown = [(line.kind, line.summary, line.reason, line.corrected) for line in desk.lines()]
    assert shown == [
        ("visit", "asks for bowls", "wrong", False),
        ("phone_call", "asks for bowls", "wrong", True),
        ("phone_call", "asks for mugs", None, True),
    ]


def test_what_happened_earlier_stands_lower_whenever_it_was_entered(desk):
    desk.record(1, at=FIRST, summary="entered first")
    desk.record(2, at=FIRST - timedelta(days=3), summary="happened first")
    assert [line.summary for line in desk.lines()] == ["entered first", "happened first"]


def test_lines_are_filtered_by_kind_and_counted_by_kind(desk):
    desk.everything()
    desk.record(9, BEN)
    counts = desk.read(lambda db: timeline.counts(db, ANNA))
    assert counts == {"visit": 1, "phone_call": 1, "order": 4, "customer": 9}
    for kind in LINE_KINDS:
        assert len(desk.lines(kind=kind)) == counts.get(kind, 0)


def test_every_part_begins_where_the_last_ended_even_among_equal_times(desk):
    for number in range(7):
        desk.record(number, at=FIRST)
    with desk.histories.fold(timeline.family).read() as db:
        seen, place, parts = [], None, 0
        while parts == 0 or place:
            rows, place = timeline.of_customer(db, ANNA, behind=place, limit=3)
            seen += [row.position for row in rows]
            parts += 1
    assert (seen, parts) == ([7, 6, 5, 4, 3, 2, 1], 3)


def test_a_customer_with_whom_nothing_happened_has_no_lines(desk):
    desk.record(1)
    assert desk.lines(BEN) == []
    assert desk.read(lambda db: timeline.counts(db, BEN)) == {}


def test_an_interaction_shows_as_it_stands_with_what_was_said_before(desk):
    id_ = desk.record(1, at=FIRST, duration_minutes=12)
    desk.contacts(registered(name="Anna Kovač"))
    desk.correct(id_, summary="asks for bowls", at=FIRST + timedelta(days=1))
    shown = desk.read(lambda db: interactions.found(db, id_))
    assert (shown.id, shown.customer_id, shown.customer_name) == (id_, ANNA, "Anna Kovač")
    assert (shown.summary, shown.duration_minutes, shown.occurred_at) == ("asks for bowls", 12, FIRST)
    assert (shown.corrected, shown.version) == (True, 1)
    assert [(said.summary, said.reason, said.version) for said in shown.history] == [
        ("asks for mugs", None, 0),
        ("asks for bowls", "wrong", 1),
    ]
    assert desk.read(lambda db: interactions.found(db, UUID(int=9))) is None


def test_interactions_are_listed_newest_first_and_filtered(desk):
    first, second, third = desk.record(1), desk.record(2, BEN), desk.record(3, kind="email")
    with desk.histories.fold(timeline.family).read() as db:

        def ids(**filters):
            return [row.id for row in interactions.listed(db, **filters)[0]]

        assert ids() == [third, second, first]
        assert ids(customer_id=ANNA) == [third, first]
        assert ids(kind="email") == [third]
        assert ids(customer_id=BEN, kind="email") == []
        assert ids(behind=interactions.listed(db, limit=2)[1]) == [first]


def test_a_customer_is_known_by_name_or_else_by_the_first_alias(desk):
    desk.contacts(registered(ANNA, alias=Alias(source="shop", outside_id="7")), ANNA)
    desk.contacts(IdentifierLinked(customer_id=ANNA, source="cdnow", outside_id="00042"))
    assert desk.read(lambda db: names.known(db, ANNA)) == (ANNA, "7")
    desk.contacts(CustomerRenamed(customer_id=ANNA, name="Anna Kovač"))
    assert desk.read(lambda db: names.known(db, ANNA)) == (ANNA, "Anna Kovač")
    assert desk.read(lambda db: names.known(db, BEN)) is None


@pytest.mark.parametrize("language", ["en", "nl", "hr"])
def test_every_line_reads_as_a_sentence_with_a_picture_and_leads_somewhere(desk, language):
    desk.everything()
    words = translations(language)
    told = [tell(line, Formats(language, words, UTC), words.gettext) for line in desk.lines()]
    assert len(told) == 15
    for one in told:
        assert one.title
        assert "%(" not in one.title
        assert "None" not in one.title
        assert one.href.startswith(("/interactions/", "/portal/orders/", "/contacts/customers/"))
    assert set(LINE_KINDS) == set(CALLED) == set(PICTURES)


def test_titles_use_the_reader_s_words(desk):
    desk.everything()
    words = translations("en")
    told = [tell(line, Formats("en", words, UTC), words.gettext) for line in desk.lines()]
    assert [one.title for one in reversed(told)] == [
        "Registered as person",
        "Renamed",
        "Is of the kind household",
        "Belongs to Netherlands",
        "E-mail address added",
        "E-mail address corrected",
        "E-mail address removed",
        "New address",
        "Known to cdnow as 00042",
        "Order 1001 over €9.00",
        "€3.00 refunded",
        "Order 1001 cancelled",
        "Credit note C1 over €9.00",
        "Phone call · From the customer",
        "Correction: Visit · From the customer",
    ]


def test_nothing_personal_stands_in_a_title(desk):
    desk.everything()
    personal = ("Anna", "example.org", "Damrak", "Amsterdam", "mugs", "crack", "wrong")
    for line in desk.lines():
        titled = json.dumps(line.title)
        assert not any(word in titled for word in personal)


def test_the_tables_come_out_equal_whatever_the_paging_partitions_and_crashes(tmp_path, kit_home):
    desk = Desk(tmp_path, kit_home)
    for number in range(1, 8):
        desk.everything(UUID(int=number))
    for number in range(20, 60):
        id_ = desk.record(number, UUID(int=number % 7 + 1), at=FIRST - timedelta(hours=number))
        if number % 3 == 0:
            desk.correct(id_, summary=f"call {number}")
    Kit(timeline.family, desk.histories.events, desk.histories.codec, desk.histories.home).prove()
