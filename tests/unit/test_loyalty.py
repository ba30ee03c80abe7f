from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.loyalty import SEGMENTS, Purchases, Ranking, Reason, Scale, Segment
from services.analytics.rules import TODAY

AS_OF = 15_000
customer_rows = st.lists(
    st.tuples(st.integers(AS_OF - 400, AS_OF), st.integers(1, 12), st.integers(0, 10**12)), min_size=1, max_size=60
)


def purchases(rows):
    last, days, gross = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return Purchases(last=last, days=days, gross=gross)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=80))
def test_a_score_counts_the_customers_with_a_strictly_worse_value(values):
    scale = Scale.of(np.array(values))
    expected = [1 + 5 * sum(other < value for other in values) // len(values) for value in values]
    assert scale.scores(np.array(values)).tolist() == expected
    assert list(scale.counts) == [expected.count(score) for score in range(1, 6)]
    assert list(scale.cuts) == [
        min((value for value, own in zip(values, expected, strict=True) if own == score), default=None)
        for score in range(1, 6)
    ]


def test_equal_values_share_the_lower_score():
    assert Scale.of(np.array([7, 7, 7, 7, 7])) == Scale((7, None, None, None, None), (5, 0, 0, 0, 0))
    assert Scale.of(np.array([1, 2, 2, 2, 9])).scores(np.array([1, 2, 9])).tolist() == [1, 2, 5]


def test_five_different_customers_have_five_scores():
    assert Scale.of(np.array([30, 10, 50, 20, 40])) == Scale((10, 20, 30, 40, 50), (1, 1, 1, 1, 1))


def test_the_segments_exclude_each_other_and_follow_the_written_rule():
    for r, f, m, days in product(range(1, 6), range(1, 6), range(1, 6), (1, 2, 9)):
        value = (f + m) / 2
        rules = {
            Segment.CHAMPION: r >= 4 and value >= 4,
            Segment.LOYAL: r == 3 and value >= 4,
            Segment.AT_RISK: r <= 2 and value >= 4,
            Segment.NEW: r >= 4 and value < 4 and days == 1,
            Segment.DORMANT: r <= 2 and value < 3,
        }
        assert [TODAY.segment(r, f, m, days)] == [name for name, holds in rules.items() if holds] or (
            TODAY.segment(r, f, m, days) == Segment.REGULAR and not any(rules.values())
        )


def test_an_empty_base_has_no_scores_and_no_segments():
    nobody = purchases([])
    ranking = Ranking.of(nobody, AS_OF)
    assert ranking.n == 0
    assert ranking.f == Scale((None,) * 5, (0,) * 5)
    assert ranking.segment_counts(nobody) == dict.fromkeys(SEGMENTS, 0)


def test_a_reason_says_what_the_score_took_and_what_the_next_one_takes():
    base = purchases([(AS_OF - 10 * n, n, 100 * n) for n in range(1, 6)])
    standing = Ranking.of(base, AS_OF).place(AS_OF - 20, 2, 200)
    assert (standing.r, standing.f, standing.m, standing.segment) == (4, 2, 2, Segment.REGULAR)
    assert standing.reasons == (
        Reason("r", 4, value=20, needs=20, next_score=5, next_needs=10),
        Reason("f", 2, value=2, needs=2, next_score=3, next_needs=3),
        Reason("m", 2, value=200, needs=200, next_score=3, next_needs=300),
    )


def test_the_next_score_is_one_that_somebody_has_and_the_best_has_none():
    base = purchases([(AS_OF, 1, 0)] * 4 + [(AS_OF, 9, 0)])
    ranking = Ranking.of(base, AS_OF)
    assert ranking.place(AS_OF, 1, 0).reasons[1] == Reason("f", 1, value=1, needs=1, next_score=5, next_needs=9)
    assert ranking.place(AS_OF, 9, 0).reasons[1] == Reason("f", 5, value=9, needs=9, next_score=None, next_needs=None)


def test_cuts_of_recency_are_days_since_the_last_purchase():
    base = purchases([(AS_OF - 10 * n, 1, 0) for n in range(1, 6)])
    assert Ranking.of(base, AS_OF).cuts == {
        "r": [50, 40, 30, 20, 10],
        "f": [1, None, None, None, None],
        "m": [0, None, None, None, None],
    }


@given(customer_rows, st.randoms())
def test_the_order_of_the_customers_does_not_matter(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    ranking = Ranking.of(purchases(rows), AS_OF)
    assert Ranking.of(purchases(shuffled), AS_OF) == ranking
    assert ranking.segment_counts(purchases(shuffled)) == ranking.segment_counts(purchases(rows))


@given(customer_rows)
def test_a_customer_placed_alone_stands_where_the_whole_base_puts_them(rows):
    base = purchases(rows)
    ranking = Ranking.of(base, AS_OF)
    columns = zip(*(column.tolist() for column in (*ranking.scores(base), ranking.segments(base))), strict=True)
    for row, (r, f, m, code) in zip(rows, columns, strict=True):
        standing = ranking.place(*row)
        assert (standing.r, standing.f, standing.m, standing.segment) == (r, f, m, SEGMENTS[code])
        assert [reason.score for reason in standing.reasons] == [r, f, m]


@given(customer_rows)
def test_every_customer_is_counted_once_per_score_and_segment(rows):
    base = purchases(rows)
    ranking = Ranking.of(base, AS_OF)
    assert ranking.n == len(rows)
    assert [sum(scale.counts) for scale in (ranking.r, ranking.f, ranking.m)] == [len(rows)] * 3
    assert sum(ranking.segment_counts(base).values()) == len(rows)


def test_a_value_worse_than_any_in_the_base_scores_one():
    scale = Scale.of(np.array([10, 20, 30, 40, 50]))
    assert scale.scores(np.array([9, 10, 19, 20, 999])).tolist() == [1, 1, 1, 2, 5]


@pytest.mark.parametrize("gross", [2**53 - 1, 2**53 + 1])
def test_sums_beyond_the_precision_of_a_float_are_told_apart(gross):
    assert Scale.of(np.array([gross, gross + 1])).scores(np.array([gross, gross + 1])).tolist() == [1, 3]
