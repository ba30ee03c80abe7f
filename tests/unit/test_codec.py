"""Payloads as stored: compact JSON that is the same byte for byte, with a personal field or without."""

import json
from uuid import UUID

import facts
from hypothesis import given
from hypothesis import strategies as st

from shared.codec import Codec
from shared.envelope import Recorded

EVENT_ID = UUID(int=1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


class OneKey:
    def key(self, _subject):
        return bytes(32)

    find = key


CODEC = Codec(OneKey())


@given(code=TEXTS, note=TEXTS | st.none(), quantity=st.integers(-(2**70), 2**70))
def test_a_payload_is_compact_json_and_reads_back(code, note, quantity):
    line = facts.Line(code=code, quantity=quantity, amount_minor=1)
    event = facts.Placed(customer_id=UUID(int=7), currency="GBP", day=1, total_minor=1, lines=(line,), note=note)
    data = CODEC.encode(event, EVENT_ID, "customer-x")
    assert data == json.dumps(json.loads(data), ensure_ascii=False, separators=(",", ":")).encode()
    stored = Recorded(1, "s", 0, EVENT_ID.bytes, event.type, event.schema_version, "customer-x", data, b"{}", b"")
    assert CODEC.decode(stored) == event
