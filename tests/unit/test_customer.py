"""The rules of customers: registering, importing, editing."""

from __future__ import annotations

from uuid import UUID

import pytest
from pydantic import ValidationError

from services.contacts.address import MoveAddress
from services.contacts.customer import (
    DescribeCustomer,
    ImportCustomer,
    LinkIdentifier,
    RegisterCustomer,
    RenameCustomer,
    customer,
)
from services.contacts.events import (
    AddressMoved,
    Alias,
    ContactPointAdded,
    CountryCorrected,
    CustomerRegistered,
    CustomerRenamed,
    IdentifierLinked,
    KindCorrected,
)
from shared.testing import Spec

ANA = UUID("00000000-0000-4000-8000-000000000001")
ALIAS = Alias(source="cdnow", outside_id="1516")
REGISTERED = CustomerRegistered(
    customer_id=ANA, kind="individual", name="Ana Kovač", country="HR", internal=False, alias=None
)
KNOWN_BY_ALIAS = CustomerRegistered(
    customer_id=ANA, kind="individual", name=None, country=None, internal=False, alias=ALIAS
)
EMAIL = ContactPointAdded(customer_id=ANA, point=1, channel="email", value="ana@kovac.example", purpose="general")
PHONE = ContactPointAdded(customer_id=ANA, point=2, channel="phone", value="+38515550142", purpose="general")


def imported(**details: str) -> ImportCustomer:
    return ImportCustomer(customer_id=ANA, source="cdnow", outside_id="1516", **details)


class TestRegistering:
    def test_gives_the_customer_and_its_contact_points(self):
        command = RegisterCustomer(
            customer_id=ANA, name="Ana Kovač", country="HR", email="ana@Kovac.example", phone="+385 1 555 01 42"
        )
        Spec(customer).when(command).then(REGISTERED, EMAIL, PHONE)

    def test_keeps_an_own_department_apart(self):
        command = RegisterCustomer(customer_id=ANA, kind="organisation", name="Warehouse", internal=True)
        (event,) = Spec(customer).when(command).decided()
        assert isinstance(event, CustomerRegistered)
        assert event.internal
        assert event.kind == "organisation"

    def test_twice_is_refused(self):
        command = RegisterCustomer(customer_id=ANA, name="Ana")
        Spec(customer).given(REGISTERED).when(command).refused(kind="conflict", field="customer_id")

    @pytest.mark.parametrize(
        ("field", "value"),
        [("name", ""), ("name", "\u202eanA"), ("email", "ana"), ("phone", "12"), ("country", "XX"), ("kind", "robot")],
    )
    def test_refuses_what_is_no_such_thing(self, field: str, value: str):
        with pytest.raises(ValidationError) as caught:
            RegisterCustomer(**{"customer_id": ANA, "name": "Ana", field: value})
        assert [error["loc"] for error in caught.value.errors()] == [(field,)]


class TestImporting:
    def test_by_alias_alone_registers_without_a_name(self):
        Spec(customer).when(imported()).then(KNOWN_BY_ALIAS)

    def test_with_details_registers_them_too(self):
        registered = REGISTERED.model_copy(update={"alias": ALIAS})
        command = imported(name="Ana Kovač", country="HR", email="ana@kovac.example", phone="+38515550142")
        Spec(customer).when(command).then(registered, EMAIL, PHONE)

    def test_details_complete_a_customer_known_by_alias(self):
        command = imported(kind="organisation", name="Kovač Papir", country="HR", email="ana@kovac.example")
        Spec(customer).given(KNOWN_BY_ALIAS).when(command).then(
            CustomerRenamed(customer_id=ANA, name="Kovač Papir"),
            KindCorrected(customer_id=ANA, kind="organisation"),
            CountryCorrected(customer_id=ANA, country="HR"),
            EMAIL,
        )

    def test_of_what_is_known_changes_nothing(self):
        known = Spec(customer).given(REGISTERED, EMAIL)
        known.when(imported()).then()
        known.when(imported(name="Ana Kovač", email="ana@kovac.example")).then()

    def test_adds_a_contact_point_under_the_next_number(self):
        Spec(customer).given(REGISTERED, EMAIL).when(imported(phone="+38515550142")).then(PHONE)

    @pytest.mark.parametrize(("field", "value"), [("name", "Anna"), ("country", "NL"), ("kind", "household")])
    def test_never_overwrites_what_is_known(self, field: str, value: str):
        Spec(customer).given(REGISTERED).when(imported(**{field: value})).refused(kind="conflict", field=field)


class TestEditing:
    @pytest.mark.parametrize(
        "command",
        [
            RenameCustomer(name="Ana"),
            DescribeCustomer(country="NL"),
            LinkIdentifier(source="erp", outside_id="7"),
            MoveAddress(lines=["Ilica 1"], city="Zagreb", country="HR"),
        ],
    )
    def test_a_customer_that_does_not_exist_is_missing(self, command):
        Spec(customer).when(command).refused(kind="missing")

    def test_a_name(self):
        Spec(customer).given(REGISTERED).when(RenameCustomer(name="Ana Horvat")).then(
            CustomerRenamed(customer_id=ANA, name="Ana Horvat")
        )
        Spec(customer).given(REGISTERED).when(RenameCustomer(name="Ana Kovač")).then()

    def test_kind_and_country(self):
        Spec(customer).given(REGISTERED).when(DescribeCustomer(kind="household", country="HR")).then(
            KindCorrected(customer_id=ANA, kind="household")
        )
        Spec(customer).given(REGISTERED).when(DescribeCustomer(country="NL")).then(
            CountryCorrected(customer_id=ANA, country="NL")
        )
        with pytest.raises(ValidationError, match="a kind, a country, or both"):
            DescribeCustomer()

    def test_an_address(self):
        moved = AddressMoved(customer_id=ANA, lines="Ilica 1\nAtrium", postal_code="10000", city="Zagreb", country="HR")
        command = MoveAddress(lines=["Ilica 1", "Atrium"], postal_code="10000", city="Zagreb", country="HR")
        Spec(customer).given(REGISTERED).when(command).then(moved)
        Spec(customer).given(REGISTERED, moved).when(command).then()

    def test_an_identifier(self):
        command = LinkIdentifier(source="erp", outside_id="0042")
        linked = IdentifierLinked(customer_id=ANA, source="erp", outside_id="0042")
        Spec(customer).given(REGISTERED).when(command).then(linked)
        Spec(customer).given(REGISTERED, linked).when(command).then()
        Spec(customer).given(KNOWN_BY_ALIAS).when(LinkIdentifier(source="cdnow", outside_id="1516")).then()


def test_an_event_of_another_thing_changes_nothing():
    unrelated = IdentifierLinked(customer_id=ANA, source="erp", outside_id="1")
    assert customer.evolve(customer.initial, unrelated).id is None
