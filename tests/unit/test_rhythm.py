from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.rhythm import Rhythm

day_rows = st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 9)), max_size=60)


def test_a_customer_without_orders_has_no_rhythm():
    nobody = Rhythm.of([], as_of=14_000)
    assert (nobody.orders, nobody.x, nobody.intervals) == (0, 0, ())
    assert [nobody.first, nobody.last, nobody.t_x, nobody.T] == [None] * 4
    assert [nobody.mean, nobody.median, nobody.sd, nobody.next_due, nobody.last_two] == [None] * 5


def test_one_purchase_day_has_an_age_but_no_interval():
    once = Rhythm.of([(100, 3)], as_of=130)
    assert (once.orders, once.x, once.t_x, once.T) == (3, 0, 0, 30)
    assert [once.mean, once.median, once.sd, once.next_due] == [None] * 4


def test_one_interval_has_a_mean_but_no_deviation():
    twice = Rhythm.of([(100, 1), (130, 2)], as_of=130)
    assert (twice.orders, twice.x, twice.t_x, twice.T) == (3, 1, 30, 30)
    assert (twice.mean, twice.median, twice.sd, twice.next_due) == (30, 30, None, 160)


def test_mean_median_and_deviation_follow_from_the_intervals():
    rhythm = Rhythm.of([(10, 1), (12, 1), (16, 1), (25, 1), (26, 1)], as_of=40)
    assert rhythm.intervals == (2, 4, 9, 1)
    assert rhythm.last_two == (9, 1)
    assert (rhythm.mean, rhythm.median) == (4, 3)
    assert rhythm.sd == pytest.approx((38 / 3) ** 0.5, rel=1e-15)


@pytest.mark.parametrize(("days", "due"), [((0, 3, 7), 11), ((0, 1, 2), 3), ((0, 2, 5), 8)])
def test_half_a_day_of_the_median_counts_up(days, due):
    assert Rhythm.of([(day, 1) for day in days], as_of=9).next_due == due


def test_a_day_whose_orders_were_all_cancelled_is_no_purchase():
    assert Rhythm.of([(10, 2), (20, 1), (20, -1), (30, 1)], as_of=30).intervals == (20,)


def test_what_was_bought_after_the_day_of_the_question_is_not_seen():
    assert Rhythm.of([(10, 1), (20, 1), (21, 5)], as_of=20) == Rhythm.of([(10, 1), (20, 1)], as_of=20)


@given(day_rows, st.randoms())
def test_the_order_of_the_facts_does_not_matter(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert Rhythm.of(shuffled, as_of=15_000) == Rhythm.of(rows, as_of=15_000)


@given(day_rows, day_rows)
def test_placing_and_cancelling_leaves_the_rhythm_as_if_never_placed(kept, cancelled):
    taken_back = [(day, -orders) for day, orders in cancelled]
    assert Rhythm.of([*cancelled, *kept, *taken_back], as_of=15_000) == Rhythm.of(kept, as_of=15_000)


@given(st.sets(st.integers(-1_000, 2_000_000), min_size=3, max_size=60))
def test_the_deviation_is_exact_to_the_last_bits(days):
    rhythm = Rhythm.of([(day, 1) for day in days], as_of=max(days))
    mean = Fraction(sum(rhythm.intervals), rhythm.x)
    variance = sum((interval - mean) ** 2 for interval in rhythm.intervals) / (rhythm.x - 1)
    assert rhythm.sd == pytest.approx(float(variance) ** 0.5, rel=4e-16)


@given(day_rows)
def test_intervals_lead_from_the_first_purchase_day_to_the_last(rows):
    rhythm = Rhythm.of(rows, as_of=20_000)
    assert rhythm.orders == sum(orders for _, orders in rows)
    assert all(interval >= 1 for interval in rhythm.intervals)
    assert len(rhythm.intervals) == rhythm.x
    assert sum(rhythm.intervals) == (rhythm.t_x or 0)
