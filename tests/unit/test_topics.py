import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from shared import topics


@pytest.mark.parametrize(
    ("key", "java_murmur2"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_a_partition_is_chosen_as_the_java_client_does(key: str, java_murmur2: int):
    assert topics.partition(key) == (java_murmur2 & 0x7FFFFFFF) % 12


def test_a_partition_is_the_one_that_a_default_client_would_choose():
    every = list(range(topics.PARTITIONS))
    for number in range(300):
        subject = f"customer-{number}-é"
        assert topics.partition(subject) == DefaultPartitioner()(subject.encode(), every, every)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_partitions_reckoned_together_are_those_reckoned_one_by_one(subjects: list[str]):
    together = topics.partitions([subject.encode() for subject in subjects])
    assert together == [topics.partition(subject) for subject in subjects]


def test_remembered_partitions_are_bounded():
    assert topics.partition.cache_info().maxsize == 100_000


def test_topics_are_named_by_service_version_and_installation():
    assert topics.topic("contacts") == "crm.contacts.v1"
    assert topics.topic("contacts", "acme.") == "acme.crm.contacts.v1"
    assert topics.checkpoints("portal", "acme.") == "acme.crm.portal.relay.v1"


def test_the_topics_of_a_family_follow_from_the_types_it_reads():
    types = {"crm.portal.OrderPlaced", "crm.portal.OrderCancelled", "crm.contacts.CustomerRegistered"}
    assert topics.services_of(types) == ("contacts", "portal")
