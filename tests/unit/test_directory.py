"""The directory of customers, and the questions it answers."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid5

import pytest
from histories import Histories

from services.contacts import directory, lookup
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
from services.interactions.events import InteractionRecorded
from services.portal.events import Line, OrderCancelled, OrderPlaced
from shared.ids import NS
from shared.projections.home import Home

TOPICS = ("crm.contacts", "crm.interactions", "crm.portal")


def customer_id(number: int) -> UUID:
    return uuid5(NS, f"test {number}")


def registered(number: int, name: str | None, alias: str | None = None, **more) -> CustomerRegistered:
    told = {"kind": "individual", "country": None, "internal": False, **more}
    given = Alias(source="cdnow", outside_id=alias) if alias else None
    return CustomerRegistered(customer_id=customer_id(number), name=name, alias=given, **told)


def contact(number: int, day: int) -> InteractionRecorded:
    return InteractionRecorded(
        customer_id=customer_id(number),
        interaction_id=uuid5(NS, f"contact {number} {day}"),
        kind="visit",
        direction="outbound",
        business_day=day,
        summary="Came by.",
        handler="jdewit",
        duration_minutes=None,
    )


ORDER = {
    "source": "cdnow",
    "number": "1",
    "currency": "USD",
    "lines": (Line(ordinal=1, code="cd", description=None, quantity=1, unit_price="9.99", amount_minor=999),),
    "line_count": 1,
    "quantity": 1,
    "total_minor": 999,
}


def placed(number: int, day: int) -> OrderPlaced:
    order_id = uuid5(NS, f"order {number} {day}")
    return OrderPlaced(customer_id=customer_id(number), order_id=order_id, business_day=day, **ORDER)


def cancelled(number: int, day: int) -> OrderCancelled:
    order_id = uuid5(NS, f"order {number} {day}")
    return OrderCancelled(
        customer_id=customer_id(number),
        order_id=order_id,
        order_day=day,
        business_day=day + 1,
        refunded_minor=0,
        reason=None,
        **ORDER,
    )


@pytest.fixture
def histories(tmp_path: Path, home: Home) -> Histories:
    return Histories(tmp_path, home)


def tell(histories: Histories, number: int, *events) -> None:
    for event in events:
        histories.happened(f"customer-{customer_id(number)}", event)


def test_a_card_holds_each_fact_with_its_time_and_who_told_it(histories: Histories):
    one = {"customer_id": customer_id(1)}
    address = AddressMoved(**one, lines="Ilica 1", postal_code=None, city="Zagreb", country="HR")
    tell(histories, 1, registered(1, None, "1516"))
    tell(histories, 1, CustomerRenamed(**one, name="Kovač Papir"), KindCorrected(**one, kind="organisation"))
    tell(histories, 1, CountryCorrected(**one, country="HR"), address)
    tell(histories, 1, IdentifierLinked(**one, source="erp", outside_id="0042"))
    with histories.fold(directory.family).read() as db:
        card = lookup.find(db, customer_id(1))
    assert card is not None
    assert (card.name, card.kind, card.country) == ("Kovač Papir", "organisation", "HR")
    assert (card.alias, card.aliases, card.version) == ("cdnow:1516", ("cdnow:1516", "erp:0042"), 5)
    assert card.address == {"lines": "Ilica 1", "postal_code": None, "city": "Zagreb", "country": "HR"}
    assert card.registered_at == "2026-03-02T09:30:00.000000Z"
    assert card.told["name"] == {"at": "2026-03-02T09:31:00.000000Z", "by": "staff:jdewit", "version": 1}
    assert card.told["country"]["at"] == "2026-03-02T09:33:00.000000Z"


def test_contact_points_keep_their_numbers(histories: Histories):
    one = {"customer_id": customer_id(1)}
    mail = {"channel": "email", "purpose": "general"}
    tell(histories, 1, registered(1, "Ana"), ContactPointAdded(**one, point=1, value="ana@kovac.example", **mail))
    tell(histories, 1, ContactPointAdded(**one, point=2, value="ana@home.example", **mail))
    tell(histories, 1, ContactPointCorrected(**one, point=2, value="ana@house.example", **mail))
    tell(histories, 1, ContactPointRemoved(**one, point=1, channel="email"))
    with histories.fold(directory.family).read() as db:
        card = lookup.find(db, customer_id(1))
        assert card is not None
        assert [(point["point"], point["value"]) for point in card.points] == [(2, "ana@house.example")]
        assert lookup.count(db, "house.example", None) == 1
        assert lookup.count(db, "kovac.example", None) == 0


def test_last_contact_and_last_order_are_the_latest_days_whatever_came_first(histories: Histories):
    tell(histories, 1, registered(1, "Ana"))
    for event in (contact(1, 20), contact(1, 10), placed(1, 30), placed(1, 40), cancelled(1, 40)):
        histories.happened(f"other-{event.type}", event)
    tell(histories, 2, registered(2, "Bo"))
    for topics in (TOPICS, TOPICS[::-1]):
        with histories.fold(directory.family, topics=topics, page=2).read() as db:
            ana, bo = lookup.page(db, "", None, None, 10).entries
        assert (ana.last_contact, ana.last_order) == (20, 30)
        assert (bo.last_contact, bo.last_order) == (None, None)


def test_who_is_not_registered_yet_is_not_listed(histories: Histories):
    histories.happened("interaction-1", contact(1, 20))
    with histories.fold(directory.family).read() as db:
        assert lookup.find(db, customer_id(1)) is None
        assert lookup.page(db, "", None, None, 10).entries == ()
        assert lookup.count(db, "", None) == 0


def test_an_alias_leads_to_who_was_given_it_first(histories: Histories):
    tell(histories, 1, registered(1, "Ana", "7"))
    tell(
        histories, 2, registered(2, "Bo"), IdentifierLinked(customer_id=customer_id(2), source="cdnow", outside_id="7")
    )
    with histories.fold(directory.family).read() as db:
        assert lookup.resolve(db, "cdnow:7") == customer_id(1)
        assert lookup.resolve(db, "cdnow:8") is None


def test_pages_follow_each_other_without_gap_or_overlap(histories: Histories):
    for number in range(23):
        tell(histories, number, registered(number, f"Same name {number % 3}"))
    with histories.fold(directory.family).read() as db:
        seen, cursor = [], None
        while True:
            page = lookup.page(db, "", None, cursor, 5)
            seen += page.entries
            cursor = page.next
            if cursor is None:
                break
    assert len(seen) == len({entry.id for entry in seen}) == 23
    assert [entry.name for entry in seen] == sorted(entry.name for entry in seen)


def test_the_census_counts_kinds(histories: Histories):
    tell(histories, 1, registered(1, "Ana"), KindCorrected(customer_id=customer_id(1), kind="household"))
    tell(histories, 2, registered(2, "Bo"))
    tell(histories, 3, registered(3, "Warehouse", kind="organisation", internal=True))
    with histories.fold(directory.family, page=1).read() as db:
        assert lookup.counts(db) == {"household": 1, "individual": 1, "organisation": 1, "internal": 1, "all": 3}
        assert lookup.count(db, "", "internal") == 1
        assert [entry.name for entry in lookup.page(db, "", "internal", None, 10).entries] == ["Warehouse"]
        assert [entry.name for entry in lookup.page(db, "", "household", None, 10).entries] == ["Ana"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("kovac", ["Kovač Papir", None]),
        ("KOVAČ papir", ["Kovač Papir"]),
        ("papir kovač", ["Kovač Papir"]),
        ("cdnow:1516", [None]),
        ("1516", [None]),
        ("50 142", ["Kovač Papir"]),
        ("100%", ["100% Wol"]),
        ("_", []),
        ("  ", ["100% Wol", None, "Đorđe Ćirić", "Kovač Papir"]),
        ("dorde", ["Đorđe Ćirić"]),
    ],
)
def test_a_search_looks_at_names_aliases_and_contact_points(histories: Histories, query: str, found: list[str | None]):
    email = {"channel": "email", "value": "ana@kovac.example", "purpose": "general"}
    phone = {"channel": "phone", "value": "+38515550142", "purpose": "general"}
    tell(histories, 1, registered(1, "Kovač Papir"), ContactPointAdded(customer_id=customer_id(1), point=1, **phone))
    tell(histories, 2, registered(2, None, "1516"), ContactPointAdded(customer_id=customer_id(2), point=1, **email))
    tell(histories, 3, registered(3, "Đorđe Ćirić"))
    tell(histories, 4, registered(4, "100% Wol"))
    with histories.fold(directory.family).read() as db:
        names = [entry.name for entry in lookup.page(db, query, None, None, 10).entries]
        assert sorted(map(str, names)) == sorted(map(str, found))
        assert lookup.count(db, query, None) == len(found)
