"""The rules of who counts for whom: merging, unmerging, erasing."""

from __future__ import annotations

from uuid import UUID

import pytest

from services.contacts.address import MoveAddress
from services.contacts.contact_points import AddContactPoint
from services.contacts.customer import (
    DescribeCustomer,
    ImportCustomer,
    LinkIdentifier,
    RegisterCustomer,
    RenameCustomer,
    customer,
)
from services.contacts.events import (
    CustomerRegistered,
    CustomerRenamed,
    CustomersMerged,
    CustomersUnmerged,
    SubjectErased,
)
from services.contacts.standing import EraseAbsorbed, EraseCustomer, MergeCustomer, Standing, UnmergeCustomer
from shared.testing import Spec

ANA = UUID("00000000-0000-4000-8000-000000000001")
BO = UUID("00000000-0000-4000-8000-000000000002")
CY = UUID("00000000-0000-4000-8000-000000000003")
REGISTERED = CustomerRegistered(
    customer_id=ANA, kind="individual", name="Ana", country=None, internal=False, alias=None
)
MERGED = CustomersMerged(customer_id=ANA, survivor_id=BO, reason="Same e-mail")
UNMERGED = CustomersUnmerged(customer_id=ANA, survivor_id=BO)
ERASED = SubjectErased(customer_id=ANA, reason="request", absorbed=(CY,))
KNOWN = Spec(customer).given(REGISTERED)
INTO_BO = MergeCustomer(survivor=BO, reason="Same e-mail", standing=Standing())


class TestMerging:
    def test_names_the_survivor(self):
        KNOWN.when(INTO_BO).then(MERGED)

    def test_a_customer_into_itself_is_refused(self):
        KNOWN.when(MergeCustomer(survivor=ANA, standing=Standing())).refused(field="survivor")

    def test_whoever_was_absorbed_is_refused_with_the_survivor(self):
        for survivor in (BO, CY):
            again = MergeCustomer(survivor=survivor, standing=Standing())
            assert str(BO) in KNOWN.given(MERGED).when(again).refused(kind="conflict")

    def test_into_nobody_is_refused(self):
        KNOWN.when(MergeCustomer(survivor=BO, standing=None)).refused(field="survivor")

    def test_into_an_erased_one_is_refused(self):
        command = MergeCustomer(survivor=BO, standing=Standing(erased=True))
        KNOWN.when(command).refused(field="survivor", kind="conflict")

    @pytest.mark.parametrize("further", [CY, ANA])
    def test_into_an_absorbed_one_is_refused_with_who_counts_for_it(self, further):
        command = MergeCustomer(survivor=BO, standing=Standing(survivor_id=further))
        assert str(further) in KNOWN.when(command).refused(field="survivor", kind="conflict")

    def test_is_no_other_command_when_the_survivor_stands_otherwise_by_now(self):
        assert INTO_BO.model_dump_json() == INTO_BO.model_copy(update={"standing": None}).model_dump_json()


class TestUnmerging:
    def test_names_who_had_absorbed_it(self):
        KNOWN.given(MERGED).when(UnmergeCustomer()).then(UNMERGED)

    def test_of_one_who_stands_alone_is_refused(self):
        KNOWN.when(UnmergeCustomer()).refused(kind="conflict")
        KNOWN.given(MERGED, UNMERGED).when(UnmergeCustomer()).refused(kind="conflict")

    def test_lets_it_be_absorbed_again(self):
        KNOWN.given(MERGED, UNMERGED).when(INTO_BO).then(MERGED)


class TestErasing:
    def test_names_the_ground_and_who_goes_too(self):
        KNOWN.when(EraseCustomer(reason="request", absorbed=(CY,))).then(ERASED)

    def test_an_absorbed_one_alone_is_refused_with_its_survivor(self):
        assert str(BO) in KNOWN.given(MERGED).when(EraseCustomer()).refused(kind="conflict")

    def test_an_absorbed_one_with_its_survivor_happens_once(self):
        gone = SubjectErased(customer_id=ANA, reason=None, absorbed=())
        KNOWN.given(MERGED).when(EraseAbsorbed()).then(gone)
        KNOWN.given(MERGED, gone).when(EraseAbsorbed()).then()

    def test_is_no_other_command_when_somebody_else_was_absorbed_by_now(self):
        assert EraseCustomer(absorbed=(BO,)).model_dump_json() == EraseCustomer().model_dump_json()

    @pytest.mark.parametrize(
        "command",
        [
            RegisterCustomer(customer_id=ANA, name="Ana"),
            ImportCustomer(customer_id=ANA, source="cdnow", outside_id="1516", name="Ana"),
            RenameCustomer(name="Ana"),
            DescribeCustomer(country="NL"),
            LinkIdentifier(source="erp", outside_id="7"),
            MoveAddress(lines=["Ilica 1"], city="Zagreb", country="HR"),
            AddContactPoint(channel="messenger", value="@ana"),
            INTO_BO,
            UnmergeCustomer(),
            EraseCustomer(),
        ],
        ids=lambda command: type(command).__name__,
    )
    def test_leaves_nothing_that_may_be_said_of_the_customer(self, command):
        assert "erased" in KNOWN.given(ERASED).when(command).refused(kind="conflict")


@pytest.mark.parametrize("command", [INTO_BO, UnmergeCustomer(), EraseCustomer(), EraseAbsorbed()])
def test_a_customer_that_does_not_exist_is_missing(command):
    Spec(customer).when(command).refused(kind="missing")


def test_an_absorbed_customer_is_still_told_of():
    KNOWN.given(MERGED).when(RenameCustomer(name="Bo")).then(CustomerRenamed(customer_id=ANA, name="Bo"))
