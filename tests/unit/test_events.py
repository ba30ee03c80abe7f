import json
from uuid import UUID, uuid4

import facts
import pytest
from pydantic import ValidationError

from shared import events
from shared.codec import Codec
from shared.envelope import Recorded
from shared.errors import UnreadableEvent
from shared.events import ERASED, Event, Personal, check_upcasters, upcast, upcaster
from shared.keyring import SqliteKeyring

CUSTOMER = UUID(int=7)


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    """What these tests register, also what is wrong on purpose, is gone after each of them."""
    monkeypatch.setattr(events, "_registry", dict(events._registry))
    monkeypatch.setattr(events, "_upcasters", dict(events._upcasters))


@pytest.fixture
def codec(tmp_path):
    return Codec(SqliteKeyring(tmp_path / "keys.db"))


def stored(event_type, schema, data, *, event_id=None, subject="customer-x"):
    return Recorded(
        1, "s", 0, (event_id or uuid4()).bytes, event_type, schema, subject, json.dumps(data).encode(), b"{}", b""
    )


def test_a_payload_is_closed_strict_and_frozen():
    with pytest.raises(ValidationError):
        facts.Line(code="a", quantity="1", amount_minor=1)
    with pytest.raises(ValidationError):
        facts.Cancelled(customer_id=CUSTOMER, currency="GBP", day=1, total_minor=1, more=1)
    cancelled = facts.Cancelled(customer_id=CUSTOMER, currency="GBP", day=1, total_minor=1)
    with pytest.raises(ValidationError):
        cancelled.day = 2


def test_a_type_has_one_class():
    with pytest.raises(TypeError, match="two classes claim"):

        class Again(Event, type="crm.test.Placed"):
            pass


def test_the_subject_is_the_customer_or_the_own_stream():
    assert facts.Cancelled(customer_id=CUSTOMER, currency="GBP", day=1, total_minor=1).subject("order-1") == (
        f"customer-{CUSTOMER}"
    )

    class Alone(Event, type="crm.test.Alone"):
        pass

    assert Alone().subject("thing-1") == "thing-1"


def test_a_personal_field_cannot_be_the_subject():
    with pytest.raises(TypeError, match="personal"):

        class Wrong(Event, type="crm.test.Wrong", subject="name"):
            name: Personal


def test_an_old_payload_is_read_through_its_upcaster(codec):
    old = {"customer_id": str(CUSTOMER), "day": 3, "total_minor": 5, "lines": [], "note": None}
    event = codec.decode(stored("crm.test.Placed", 1, old))
    assert event.currency == "GBP"
    assert json.loads(codec.current(stored("crm.test.Placed", 1, old)))["currency"] == "GBP"


def test_unknown_newer_and_broken_payloads_say_what_is_wrong(codec):
    with pytest.raises(UnreadableEvent, match="unknown event type"):
        codec.decode(stored("crm.test.Nothing", 1, {}))
    with pytest.raises(UnreadableEvent, match="newer than this program"):
        codec.decode(stored("crm.test.Placed", 3, {}))
    with pytest.raises(UnreadableEvent, match=r"crm.test.Cancelled at 1"):
        codec.decode(stored("crm.test.Cancelled", 1, {"day": "x"}))
    with pytest.raises(UnreadableEvent, match="not a JSON object"):
        codec.decode(stored("crm.test.Placed", 1, []))


def test_a_hole_in_a_chain_stops_the_start():
    class Holey(Event, type="crm.test.Holey", schema=3):
        pass

    upcaster("crm.test.Holey", 1)(lambda data: data)
    with pytest.raises(TypeError, match="no upcaster from 2"):
        check_upcasters([Holey])
    with pytest.raises(UnreadableEvent, match="no upcaster for crm.test.Holey version 2"):
        upcast("crm.test.Holey", 1, {})
    upcaster("crm.test.Holey", 2)(lambda data: data)
    check_upcasters([Holey])
    upcaster("crm.test.Holey", 3)(lambda data: data)
    with pytest.raises(TypeError, match="leads nowhere"):
        check_upcasters([Holey])


def test_two_upcasters_of_one_version_are_refused():
    with pytest.raises(TypeError, match="two upcasters"):
        upcaster("crm.test.Placed", 1)(lambda data: data)


def test_a_personal_field_is_stored_encrypted_and_reads_as_erased_without_its_key(tmp_path):
    keyring = SqliteKeyring(tmp_path / "keys.db")
    codec = Codec(keyring)
    event = facts.Placed(customer_id=CUSTOMER, currency="GBP", day=1, total_minor=0, lines=(), note="call Ann")
    event_id = uuid4()
    data = codec.encode(event, event_id, "customer-7")
    assert b"Ann" not in data
    assert json.loads(data)["note"].startswith("enc.v1.")
    recorded = stored("crm.test.Placed", 2, json.loads(data), event_id=event_id, subject="customer-7")
    assert codec.decode(recorded) == event
    assert codec.revealed(recorded)["note"] == "call Ann"
    keyring.destroy("customer-7")
    assert codec.decode(recorded).note == ERASED
    assert codec.revealed(recorded)["note"] == ERASED


def test_a_sealed_field_is_bound_to_its_event(codec):
    event = facts.Placed(customer_id=CUSTOMER, currency="GBP", day=1, total_minor=0, lines=(), note="secret")
    data = json.loads(codec.encode(event, uuid4(), "customer-7"))
    with pytest.raises(UnreadableEvent, match="does not decrypt"):
        codec.decode(stored("crm.test.Placed", 2, data, subject="customer-7"))


def test_a_personal_field_in_clear_is_not_read(codec):
    data = {"customer_id": str(CUSTOMER), "currency": "GBP", "day": 1, "total_minor": 0, "lines": [], "note": "clear"}
    with pytest.raises(UnreadableEvent, match="not encrypted"):
        codec.decode(stored("crm.test.Placed", 2, data))
