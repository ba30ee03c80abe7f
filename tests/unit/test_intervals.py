import math
import statistics
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.intervals import Intervals, wheat_morrison_k

lengths = st.lists(st.integers(1, 800), min_size=1, max_size=80)
pair_rows = st.lists(st.tuples(st.integers(1, 90), st.integers(1, 90), st.integers(1, 5)), max_size=40)


def of(values):
    return Intervals.of((value, 1) for value in values)


def test_a_base_without_intervals_has_no_figures():
    nothing = Intervals.of([])
    assert nothing.n == 0
    assert [nothing.mean, nothing.median, nothing.p90] == [None] * 3
    assert nothing.histogram() == []


def test_bars_are_weeks_without_a_gap_up_to_the_longest_interval():
    assert of([1, 7, 8, 22, 22]).histogram() == [(1, 7, 2), (8, 14, 1), (15, 21, 0), (22, 28, 2)]


def test_what_is_longer_than_half_a_year_shares_one_bar():
    bars = of([182, 183, 364]).histogram()
    assert len(bars) == 27
    assert bars[-2:] == [(176, 182, 1), (183, 364, 2)]


def test_half_a_year_exactly_needs_no_bar_for_the_rest():
    assert of([182]).histogram()[-1] == (176, 182, 1)


def test_nine_of_ten_intervals_do_not_exceed_p90():
    assert of(range(1, 11)).p90 == 9
    assert of(range(1, 12)).p90 == 10
    assert of([5]).p90 == 5


@given(lengths)
def test_figures_equal_those_of_the_single_intervals(values):
    base = of(values)
    assert base.n == len(values)
    assert base.mean == sum(values) / len(values)
    assert base.median == statistics.median(values)
    assert [base.percentile(p) for p in (1, 25, 100)] == [
        sorted(values)[math.ceil(len(values) * p / 100) - 1] for p in (1, 25, 100)
    ]


@given(lengths)
def test_every_interval_stands_in_exactly_one_bar(values):
    bars = of(values).histogram()
    assert bars[0].low == 1
    assert all(bar.high + 1 == following.low for bar, following in pairwise(bars))
    assert [bar.intervals for bar in bars] == [sum(bar.low <= value <= bar.high for value in values) for bar in bars]
    assert sum(bar.intervals for bar in bars) == len(values)


@given(lengths, lengths, st.randoms())
def test_parts_of_a_base_add_up_and_can_be_taken_out_again(mine, others, random):
    together = [*mine, *others]
    random.shuffle(together)
    assert Intervals.of([*of(mine).counts.items(), *of(others).counts.items()]) == of(together)
    assert Intervals.of([*of(together).counts.items(), *((value, -1) for value in others)]) == of(mine)


def test_regularity_follows_from_the_spread_of_the_last_two_intervals():
    spread = statistics.variance([10 / 40, 30 / 40, 20 / 40, 20 / 40])
    assert wheat_morrison_k([(10, 30, 1), (30, 10, 1), (20, 20, 2)]) == pytest.approx((1 - 4 * spread) / (8 * spread))


@pytest.mark.parametrize("pairs", [[], [(10, 20, 1)], [(10, 20, 5), (1, 2, 2)]])
def test_regularity_is_undefined_without_a_spread(pairs):
    assert wheat_morrison_k(pairs) is None


@given(pair_rows, st.randoms())
def test_regularity_does_not_depend_on_the_order_or_grouping_of_the_customers(rows, random):
    one_by_one = [(earlier, later, 1) for earlier, later, customers in rows for _ in range(customers)]
    random.shuffle(one_by_one)
    assert wheat_morrison_k(one_by_one) == wheat_morrison_k(rows)
