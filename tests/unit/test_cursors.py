"""A cursor leads back to its place, and whatever else is sent as one is refused by name."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.web.cursors import Place, decode, encode
from shared.web.problems import Problem


@given(st.text(max_size=64), st.text(max_size=64))
def test_a_cursor_leads_back_to_its_place(value, id_):
    place = Place(value, id_)
    assert decode(encode(place)) == place


def sent(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "text",
    ["x", "é", "%%%", "AAAA", sent("ab"), sent(1), sent(["a"]), sent([1, "a"]), sent({"a": 1}), "A" * 10_000],
)
def test_anything_else_is_refused_by_the_name_of_the_parameter(text):
    with pytest.raises(Problem) as problem:
        decode(text)
    assert problem.value.status == 400
    assert problem.value.errors[0]["field"] == "cursor"
