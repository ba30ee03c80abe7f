"""What-if: the rules that count change nothing, others move exactly whom a plain count says."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.analytics.histories import Histories
from services.analytics.loyalty import SEGMENTS, Purchases, Ranking
from services.analytics.rules import TODAY, CutOffs, Rules, SegmentRule
from services.analytics.what_if import what_if

AS_OF = 15_000
entries = st.lists(
    st.tuples(st.integers(0, 20), st.integers(AS_OF - 300, AS_OF), st.integers(1, 3), st.integers(0, 90_000)),
    min_size=1,
    max_size=120,
)
cuts = st.lists(st.integers(0, 400), min_size=4, max_size=4, unique=True).map(sorted)
shares = st.lists(st.integers(1, 99), min_size=4, max_size=4, unique=True).map(sorted)


def histories(rows):
    """Histories of (customer, day, orders, gross)."""
    whose, day, orders, gross = zip(*rows, strict=True)
    return Histories.of([f"customer-{number:02}" for number in whose], (day, orders, gross, [0] * len(rows)))


def plainly(rows):
    """Days since the last purchase, purchase days and gross amount of each customer, one by one."""
    return {
        f"customer-{number:02}": (
            AS_OF - max(day for who, day, *_ in rows if who == number),
            len({day for who, day, *_ in rows if who == number}),
            sum(gross for who, _, _, gross in rows if who == number),
        )
        for number in {who for who, *_ in rows}
    }


@given(entries)
def test_the_rules_that_count_change_nothing(rows):
    found = what_if(histories(rows), AS_OF, Rules())
    bought = histories(rows).bought
    base = Purchases(bought.last, bought.days, bought.gross)
    assert found.before.segments.tolist() == Ranking.of(base, AS_OF).segments(base).tolist()
    assert not found.changed.any()
    assert found.rescored == 0
    assert found.movers() == []
    assert found.before.customers == found.after.customers == Ranking.of(base, AS_OF).segment_counts(base)
    assert {name: row[name] for name, row in found.moves.items()} == found.before.customers


@given(entries, cuts, cuts, cuts)
def test_values_as_cut_offs_move_exactly_whom_a_plain_count_says(rows, days, often, money):
    rules = Rules(
        r=CutOffs(cuts=tuple(days[::-1])),
        f=CutOffs(cuts=tuple(often)),
        m=CutOffs(cuts=tuple(100 * amount for amount in money)),
    )
    found = what_if(histories(rows), AS_OF, rules)
    for place, (ago, times, gross) in enumerate(plainly(rows)[name] for name in found.customers):
        scores = (
            1 + sum(ago <= cut for cut in days),
            1 + sum(times >= cut for cut in often),
            1 + sum(gross >= 100 * cut for cut in money),
        )
        assert found.after.grade(place) == (TODAY.segment(*scores, times), scores)
    moved = {place for place in range(found.n) if found.before.grade(place)[0] != found.after.grade(place)[0]}
    assert set(found.movers()) == moved == set(np.flatnonzero(found.changed).tolist())
    amounts = [found.gross[place] for place in found.movers()]
    assert amounts == sorted(amounts, reverse=True)
    for was, to in product(SEGMENTS, SEGMENTS):
        flow = found.movers(was, to)
        assert len(flow) == (0 if was == to else found.moves[was][to])
        assert all((found.before.grade(each)[0], found.after.grade(each)[0]) == (was, to) for each in flow)
    assert sum(found.after.total(found.gross).values()) == found.gross.sum()


@given(entries, shares)
def test_shares_count_the_customers_who_are_strictly_worse(rows, given_shares):
    found = what_if(histories(rows), AS_OF, Rules(m=CutOffs(shares=tuple(given_shares))))
    amounts = [gross for _, _, gross in (plainly(rows)[name] for name in found.customers)]
    expected = [
        1 + sum(100 * sum(other < own for other in amounts) >= share * len(amounts) for share in given_shares)
        for own in amounts
    ]
    assert found.after.scores[2].tolist() == expected
    assert found.after.scores[0].tolist() == found.before.scores[0].tolist()


def test_a_new_segment_takes_its_customers_from_the_others():
    rows = [(number, AS_OF - number, 1, 1_000 * (number + 1)) for number in range(20)]
    rules = Rules(segments=(SegmentRule(segment="top_spender", m=(5, 5)), *TODAY.segments))
    found = what_if(histories(rows), AS_OF, rules)
    assert found.after.names == (*SEGMENTS, "top_spender")
    assert found.after.customers["top_spender"] == 4
    assert sum(row["top_spender"] for row in found.moves.values()) == found.changed.sum() == 4
    assert {found.customers[place] for place in found.movers()} == {f"customer-{n:02}" for n in range(16, 20)}


def test_an_empty_base_stays_empty():
    found = what_if(Histories.of([], ((), (), (), ())), AS_OF, Rules(f=CutOffs(cuts=(1, 2, 3, 4))))
    assert (found.n, found.rescored, found.movers()) == (0, 0, [])
    assert found.after.customers == dict.fromkeys(SEGMENTS, 0)


def test_the_rules_that_count_know_our_segments_and_survive_json():
    assert {rule.segment for rule in TODAY.segments} == set(SEGMENTS)
    assert Rules.model_validate_json("{}") == TODAY
    assert Rules.model_validate_json(TODAY.model_dump_json()) == TODAY
    assert Rules.model_validate_json(TODAY.model_dump_json(exclude_none=True)) == TODAY


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ('{"f": {"cuts": [2, 2, 3, 4]}}', "f", "must ascend"),
        ('{"r": {"cuts": [30, 60, 90, 180]}}', "r", "must descend"),
        ('{"m": {"shares": [20, 40, 80, 60]}}', "m", "must ascend"),
        ('{"m": {"shares": [0, 40, 60, 80]}}', "m.shares.0", "greater than or equal to 1"),
        ('{"m": {"shares": [20, 40, 60]}}', "m.shares.3", "Field required"),
        ('{"f": {"cuts": [1, 2, 3, 4], "shares": [20, 40, 60, 80]}}', "f", "either shares or cuts"),
        ('{"f": {}}', "f", "either shares or cuts"),
        ('{"f": {"cuts": [1.5, 2, 3, 4]}}', "f.cuts.0", "valid integer"),
        ('{"segments": []}', "segments", "none takes r 1, f 1, m 1 with one purchase day"),
        ('{"segments": [{"segment": "all", "r": [2, 5]}]}', "segments", "none takes r 1"),
        ('{"segments": [{"segment": "all", "once": true}]}', "segments", "several purchase days"),
        ('{"segments": [{"segment": "all", "r": [5, 1]}]}', "segments.0.r", "the lower bound and then"),
        ('{"segments": [{"segment": "all", "r": [1, 6]}]}', "segments.0.r.1", "less than or equal to 5"),
        ('{"segments": [{"segment": "All of them"}]}', "segments.0.segment", "match pattern"),
        ('{"points": 3}', "points", "not permitted"),
    ],
)
def test_rules_that_make_no_sense_are_refused_by_the_name_of_the_field(text, field, said):
    with pytest.raises(ValidationError) as refused:
        Rules.model_validate_json(text)
    [error] = refused.value.errors()
    assert ".".join(map(str, error["loc"])) == field
    assert said in error["msg"]
