import random

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from shared.record_batch import VARINTS, RecordBatch, filled, header, headers, unpacked

NAMES = st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=70)
CONTENT = st.binary(max_size=200) | st.integers(0, 20_000).map(bytes)
RECORDS = st.lists(
    st.tuples(CONTENT, CONTENT, st.dictionaries(NAMES, CONTENT, max_size=80).map(lambda found: list(found.items()))),
    min_size=1,
    max_size=8,
)


def encoded(key: bytes, value: bytes, named: list[tuple[str, bytes]]) -> bytes:
    parts = [VARINTS[len(key)], key, VARINTS[len(value)], value, VARINTS[len(named)]]
    return b"".join([*parts, *(header(name, content) for name, content in named)])


def built(batch: RecordBatch) -> bytes:
    return bytes(batch._build())


@given(RECORDS)
def test_what_is_written_the_client_reads(records: list[tuple[bytes, bytes, list[tuple[str, bytes]]]]):
    batch = RecordBatch([encoded(*record) for record in records])
    batch._set_producer_state(70_001, 3, 17)
    read = DefaultRecordBatch(built(batch))
    assert read.validate_crc()
    assert (read.producer_id, read.producer_epoch, read.base_sequence) == (70_001, 3, 17)
    assert (read.is_transactional, read.next_offset) == (True, len(records))
    assert batch.record_count() == len(records)
    assert [(found.key, found.value, list(found.headers)) for found in read] == records


@given(RECORDS, st.sampled_from([0, 1]), st.integers(0, 2**40))
def test_what_the_client_writes_is_read(
    records: list[tuple[bytes, bytes, list[tuple[str, bytes]]]], codec: int, time: int
):
    builder = DefaultRecordBatchBuilder(2, codec, 1, 7, 1, 0, 1 << 30)
    for number, (key, value, named) in enumerate(records):
        builder.append(number, time + 1_000 * number, key or None, value or None, named)
    read = list(unpacked(bytes(builder.build())))
    assert [record[0] for record in read] == list(range(len(records)))
    assert [record[1:3] for record in read] == [(key or None, value or None) for key, value, _ in records]
    assert [headers(*record[3:]) for record in read] == [dict(named) for _, _, named in records]


def test_a_header_without_content_is_as_if_it_were_not_there():
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 20)
    builder.append(0, 0, b"k", b"v", [("a", None), ("b", b"")])
    ((_, _, _, batch, at),) = unpacked(bytes(builder.build()))
    assert headers(batch, at) == {"b": b""}


def test_batches_keep_to_their_limit_but_take_one_record_of_any_size():
    chance = random.Random(1)
    small = [encoded(b"k", chance.randbytes(50), []) for _ in range(100)]
    large = encoded(b"k", bytes(10_000), [])
    records = [large, *small, large, large, *small[:3]]
    batches = list(filled(records, 2_000))
    counts = [batch.record_count() for batch in batches]
    assert (counts[0], sum(counts[1:5]), counts[5:]) == (1, len(small), [1, 1, 3])
    sizes = [len(built(batch)) for batch in batches]
    assert all(1_700 < size <= 2_000 for size in sizes[1:4])
    read = [record[2] for batch in batches for record in unpacked(built(batch))]
    assert [encoded(b"k", value, []) for value in read if value is not None] == records


def test_no_records_make_no_batch():
    assert list(filled([], 2_000)) == []


def test_a_batch_that_is_sent_again_is_the_same():
    batch = RecordBatch([encoded(b"k", b"v", [])])
    batch._set_producer_state(1, 2, 3)
    assert built(batch) == built(batch)


@pytest.mark.parametrize("number", [0, 1, 63, 64, 8_191, 8_192, 1_048_575, 1_048_576])
def test_a_record_may_be_of_any_size(number: int):
    batch = RecordBatch([encoded(b"", bytes(number), [])])
    ((_, key, value, _, _),) = unpacked(built(batch))
    assert (key, value) == (b"", bytes(number))
