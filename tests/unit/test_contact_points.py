"""The rules of contact points."""

from __future__ import annotations

from uuid import UUID

import pytest

from services.contacts.contact_points import AddContactPoint, CorrectContactPoint, RemoveContactPoint
from services.contacts.customer import customer
from services.contacts.events import (
    ContactPointAdded,
    ContactPointCorrected,
    ContactPointRemoved,
    CustomerRegistered,
)
from shared.testing import Spec

ANA = UUID("00000000-0000-4000-8000-000000000001")
REGISTERED = CustomerRegistered(
    customer_id=ANA, kind="individual", name="Ana Kovač", country="HR", internal=False, alias=None
)
EMAIL = ContactPointAdded(customer_id=ANA, point=1, channel="email", value="ana@kovac.example", purpose="general")
PHONE = ContactPointAdded(customer_id=ANA, point=2, channel="phone", value="+38515550142", purpose="work")
KNOWN = Spec(customer).given(REGISTERED, EMAIL, PHONE)


def test_each_gets_the_next_number_in_the_writing_of_its_channel():
    command = AddContactPoint(channel="phone", value="+385 1 555 01 42", purpose="work")
    Spec(customer).given(REGISTERED, EMAIL).when(command).then(PHONE)


def test_adding_one_again_changes_nothing():
    KNOWN.when(AddContactPoint(channel="phone", value="+385 1 555 0142", purpose="work")).then()


@pytest.mark.parametrize(("channel", "value"), [("email", "ana at kovac"), ("phone", "555 01 42")])
def test_a_value_must_fit_its_channel(channel, value):
    message = KNOWN.when(AddContactPoint(channel=channel, value=value)).refused(field="value")
    assert "such as" in message


def test_a_correction_keeps_channel_and_purpose():
    KNOWN.when(CorrectContactPoint(point=2, value="+31 20 123 4567")).then(
        ContactPointCorrected(customer_id=ANA, point=2, channel="phone", value="+31201234567", purpose="work")
    )
    KNOWN.when(CorrectContactPoint(point=2, value="+385 1 5550142")).then()
    KNOWN.when(CorrectContactPoint(point=2, value="ana@kovac.example")).refused(field="value")


def test_a_correction_can_change_the_purpose_alone():
    KNOWN.when(CorrectContactPoint(point=1, value="ana@kovac.example", purpose="billing")).then(
        ContactPointCorrected(customer_id=ANA, point=1, channel="email", value="ana@kovac.example", purpose="billing")
    )


def test_a_removed_number_is_never_given_again():
    removed = ContactPointRemoved(customer_id=ANA, point=2, channel="phone")
    KNOWN.when(RemoveContactPoint(point=2)).then(removed)
    gone = KNOWN.given(removed)
    gone.when(RemoveContactPoint(point=2)).refused(kind="missing")
    gone.when(CorrectContactPoint(point=2, value="+31201234567")).refused(kind="missing")
    gone.when(AddContactPoint(channel="messenger", value="@ana")).then(
        ContactPointAdded(customer_id=ANA, point=3, channel="messenger", value="@ana", purpose="general")
    )


def test_a_customer_that_does_not_exist_has_none():
    Spec(customer).when(AddContactPoint(channel="post", value="Box 7")).refused(kind="missing")
