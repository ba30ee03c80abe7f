"""What a replay for a subscriber may write to, and what its records look like."""

from uuid import UUID, uuid4

import pytest
from topics_kit import draft

from shared import cloudevents
from shared.envelope import NO_STREAM, Recorded, link
from shared.errors import Refused
from shared.record_batch import RecordBatch, headers, unpacked
from shared.republish import require_own
from shared.topics import checkpoints, topic

STORE = UUID(int=3)


def events(count):
    made = []
    for number in range(count):
        one = draft(number)
        ((version, _, digest),) = link(f"order-{number}", NO_STREAM, [one])
        made.append(Recorded(number + 1, f"order-{number}", version, *one, digest))
    return made


@pytest.mark.parametrize("prefix", ["", "demo.", "test-1"])
@pytest.mark.parametrize("service", ["contacts", "analytics", "a-later-one"])
def test_a_live_topic_is_never_written_to(prefix, service):
    for name in (topic(service, prefix), checkpoints(service, prefix)):
        with pytest.raises(Refused, match="live topic"):
            require_own(name)


@pytest.mark.parametrize("name", ["", "a b", "..", "a/b", "ж", "a" * 250, "__consumer_offsets", "mine\n"])
def test_what_is_no_name_of_a_topic_is_refused(name):
    with pytest.raises(Refused):
        require_own(name)


@pytest.mark.parametrize("name", ["billing", "crm.contacts.v1.billing", "billing.replay-1", "a" * 249])
def test_a_topic_of_ones_own_is_taken(name):
    require_own(name)


def test_a_record_of_a_replay_is_that_of_the_relay_and_one_header():
    id_ = uuid4()
    some = events(30)
    plain = RecordBatch(list(cloudevents.records(some, STORE)))
    again = RecordBatch(list(cloudevents.records(some, STORE, id_)))
    pairs = zip(unpacked(bytes(plain._build())), unpacked(bytes(again._build())), strict=True)
    for one, other in pairs:
        assert one[:3] == other[:3]
        assert headers(*other[3:]) == headers(*one[3:]) | {"replay": str(id_).encode()}
