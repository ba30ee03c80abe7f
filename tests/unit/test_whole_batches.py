import aiokafka.consumer.fetcher as client
import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from shared.record_batch import unpacked
from shared.whole_batches import whole_batches

PLACE = TopicPartition("crm.trials.v1", 3)
PRODUCER = 7


def a_batch(first: int, count: int) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, 1, PRODUCER, 0, 0, 1 << 20)
    for number in range(count):
        builder.append(number, 1_000 + number, b"k", b"%d" % (first + number), [])
    return first.to_bytes(8, "big") + bytes(builder.build())[8:]


def read(fetched: bytes, offset: int = 0, aborted: tuple[tuple[int, int], ...] = ()) -> PartitionRecords:
    options = {"check_crcs": True, "isolation_level": READ_COMMITTED}
    return PartitionRecords(PLACE, client.MemoryRecords(fetched), aborted, offset, None, None, **options)


def test_inside_each_batch_is_one_record_and_outside_it_is_not():
    fetched = a_batch(10, 3) + a_batch(13, 2)
    with whole_batches():
        whole = read(fetched, 10)
    assert len(list(read(fetched, 10))) == 5
    found = list(whole)
    assert [(record.topic, record.partition, record.offset) for record in found] == [(*PLACE, 12), (*PLACE, 14)]
    assert [record.value for record in found] == [a_batch(10, 3), a_batch(13, 2)]
    offsets = [(offset, value) for record in found for offset, _, value, *_ in unpacked(record.value)]
    assert offsets == [(number, b"%d" % number) for number in range(10, 15)]
    assert whole.next_fetch_offset == 15


def test_a_batch_that_is_cut_off_is_left_for_the_next_fetch():
    fetched = a_batch(0, 3) + a_batch(3, 2)
    for end in range(len(a_batch(0, 3)), len(fetched)):
        with whole_batches():
            records = read(fetched[:end])
        assert [record.offset for record in records] == [2]
        assert records.next_fetch_offset == 3
    with whole_batches():
        nothing = client.MemoryRecords(fetched[:30])
    assert not nothing.has_next()
    assert nothing.size_in_bytes() == 30


def test_a_batch_comes_whole_although_a_seek_went_into_its_middle():
    with whole_batches():
        (record,) = read(a_batch(0, 5), 3)
    assert len(list(unpacked(record.value))) == 5


def test_batches_of_aborted_transactions_are_left_out():
    with whole_batches():
        records = read(a_batch(0, 3) + a_batch(3, 2), aborted=((PRODUCER, 3),))
    assert [record.offset for record in records] == [2]
    assert records.next_fetch_offset == 5


def test_a_damaged_batch_is_refused():
    damaged = bytearray(a_batch(0, 3))
    damaged[-1] ^= 1
    with whole_batches():
        records = read(bytes(damaged))
    with pytest.raises(CorruptRecordException):
        list(records)
