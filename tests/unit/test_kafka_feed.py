"""What watermarks by partition say: which events are there, how far everything is, and what is lag."""

import asyncio
from typing import NamedTuple
from uuid import UUID

import facts
import pytest

from shared.codec import Codec
from shared.kafka_feed import KafkaFeed
from shared.keyring import SqliteKeyring
from shared.projections.generation import Generation
from shared.projections.progress import STORE, Batch, Mark
from shared.topic_ends import TopicEnds
from shared.topics import PARTITIONS, partition, topic

TOPIC = topic("test", "p.")
CUSTOMER = f"customer-{UUID(int=1)}"
OWN = partition(CUSTOMER)
OTHER = (OWN + 1) % PARTITIONS


class Written(NamedTuple):
    position: int
    topic: str
    subject: str


@pytest.fixture
def ends():
    ends = TopicEnds("127.0.0.1:1", ["test"], "p.")
    ends.published = {"test": 900}
    ends.ends = {(TOPIC, number): 0 for number in range(PARTITIONS)}
    return ends


@pytest.fixture
def generation(tmp_path, home):
    generation = Generation(facts.family, 1, home.place("fed"), Codec(SqliteKeyring(tmp_path / "keys.db")))
    yield generation
    generation.close()


@pytest.fixture
def feed(ends):
    return KafkaFeed(ends, "p.")


def test_a_topic_in_which_nothing_ever_happened_is_as_far_as_its_relay(feed, generation):
    generation.begin([(TOPIC, number) for number in range(PARTITIONS)])
    assert feed.position(generation) == 900
    assert feed.lag(generation, 900) == (0, True)


def test_partitions_at_their_end_are_no_lag_however_old_their_last_event(feed, generation, ends):
    ends.ends[TOPIC, OWN], ends.ends[TOPIC, OTHER] = 5, 9
    generation.apply([Batch(TOPIC, OWN, (), 100, 5), Batch(TOPIC, OTHER, (), 850, 9)])
    assert feed.position(generation) == 900
    assert feed.lag(generation, 900).events == 0


def test_the_lowest_watermark_of_those_not_at_their_end_counts(feed, generation, ends):
    ends.ends[TOPIC, OWN], ends.ends[TOPIC, OTHER] = 8, 9
    generation.apply([Batch(TOPIC, OWN, (), 100, 5), Batch(TOPIC, OTHER, (), 850, 9)])
    assert feed.position(generation) == 100
    assert feed.lag(generation, 900).events == 3


def test_what_is_not_published_yet_is_lag(feed, generation):
    generation.begin([(TOPIC, number) for number in range(PARTITIONS)])
    assert feed.lag(generation, 901).events == 1


def test_a_reader_waits_for_the_one_partition_that_matters(feed, generation):
    generation.apply([Batch(TOPIC, OWN, (), 500, 5)])
    assert feed.holds(generation, Written(500, TOPIC, CUSTOMER))
    assert not feed.holds(generation, Written(501, TOPIC, CUSTOMER))
    elsewhere = next(s for n in range(100) if partition(s := f"customer-{UUID(int=n)}") == OTHER)
    assert not feed.holds(generation, Written(1, TOPIC, elsewhere))


def test_a_topic_that_a_family_does_not_read_is_not_waited_for(feed, generation):
    assert feed.holds(generation, Written(10**9, topic("portal", "p."), CUSTOMER))


def test_while_it_is_built_from_the_store_the_one_watermark_counts(feed, generation):
    generation.apply([Batch(*STORE, (), 300, 0)])
    assert feed.position(generation) == 300
    assert feed.holds(generation, Written(300, TOPIC, CUSTOMER))
    assert not feed.holds(generation, Written(301, TOPIC, CUSTOMER))
    assert feed.lag(generation, 400) == (100, True)
    generation.hand_over([Mark(TOPIC, number, 300, 7, 300) for number in range(PARTITIONS)])
    assert STORE not in generation.marks()
    assert generation.marks()[TOPIC, OWN] == Mark(TOPIC, OWN, 300, 7, 300, 0)


async def test_a_broker_that_does_not_answer_is_named_as_such(ends, monkeypatch):
    looked = asyncio.Event()

    async def watch():
        looked.set()
        raise TimeoutError

    monkeypatch.setattr(ends, "_watch", watch)
    watching = asyncio.create_task(ends.run())
    await looked.wait()
    await asyncio.sleep(0)
    assert await ends.probe() == "TimeoutError: no answer in time"
    watching.cancel()
