import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.cohorts import Cohort, Cohorts
from services.analytics.loyalty import SEGMENTS, Segment
from services.analytics.migration import ABSENT, Migration
from services.analytics.survival import Step, Survival

JANUARY = 480


def test_a_cohort_shows_who_came_back_in_which_month():
    rows = [
        (JANUARY, JANUARY, 4),
        (JANUARY, JANUARY + 2, 1),
        (JANUARY + 1, JANUARY + 1, 2),
        (JANUARY + 1, JANUARY + 2, 2),
    ]
    found = Cohorts.of(rows, JANUARY + 2)
    assert found.rows == (Cohort(JANUARY, 4, (4, 0, 1)), Cohort(JANUARY + 1, 2, (2, 2, None)))
    assert [cohort.retention for cohort in found.rows] == [(1.0, 0.0, 0.25), (1.0, 1.0, None)]
    assert found.retention == (1.0, pytest.approx(2 / 6), 0.25)


def test_a_month_that_the_history_does_not_reach_is_unknown_and_not_empty():
    found = Cohorts.of([(JANUARY, JANUARY, 4), (JANUARY, JANUARY + 5, 3), (JANUARY + 4, JANUARY + 4, 9)], JANUARY + 1)
    assert found.rows == (Cohort(JANUARY, 4, (4, 0)),)


def test_cohorts_add_up_whatever_the_order_of_the_rows():
    rows = [(JANUARY, JANUARY, 1), (JANUARY, JANUARY + 1, 1), (JANUARY + 1, JANUARY + 1, 1)] * 3
    assert Cohorts.of(rows, JANUARY + 1) == Cohorts.of(reversed(rows), JANUARY + 1)
    assert Cohorts.of(rows, JANUARY + 1).rows[0] == Cohort(JANUARY, 3, (3, 3))


def test_nobody_has_no_cohorts():
    assert Cohorts.of([], JANUARY) == Cohorts(())
    assert Cohorts(()).retention == ()


def test_the_curve_of_the_first_repeat_is_the_known_one():
    """The classic of remission times: 6, 6, 6, 6+, 7, 9+, 10, 10+, 11+, 13, 16, 17+, 19+, 20+, 22, 23, 25+, 32+, …"""
    back = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    away = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    found = Survival.of([*((day, True, 1) for day in back), *((day, False, 1) for day in away)])
    assert found.steps[:3] == (Step(6, 21, 3), Step(7, 17, 1), Step(10, 15, 1))
    assert found.waiting == pytest.approx((0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482), abs=5e-5)
    assert (found.at(0), found.at(5), found.at(36)) == (1.0, 1.0, None)
    assert (found.at(6), found.at(9), found.at(35)) == pytest.approx((0.8571, 0.8067, 0.4482), abs=5e-5)
    assert found.median == 23


def test_a_curve_of_nobody_and_of_one_time_buyers_has_no_steps():
    assert Survival.of([]) == Survival((), None)
    assert (Survival.of([]).at(0), Survival.of([]).median) == (None, None)
    alone = Survival.of([(30, False, 5)])
    assert (alone.steps, alone.at(30), alone.at(31), alone.median) == ((), 1.0, None, None)


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 5)), min_size=1, max_size=20))
def test_when_all_came_back_the_curve_is_the_plain_share(rows):
    found = Survival.of((day, True, customers) for day, customers in rows)
    n = sum(customers for _, customers in rows)
    for day in range(found.longest + 1):
        assert found.at(day) == pytest.approx(sum(customers for on, customers in rows if on > day) / n, abs=1e-12)


@given(st.lists(st.tuples(st.integers(-1, 5), st.integers(-1, 5)), max_size=60))
def test_a_migration_counts_every_customer_once(rows):
    before, after = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    found = Migration.of(before, after)
    for code, name in enumerate(SEGMENTS):
        assert sum(found.moves[name].values()) + found.gone[name] == (before == code).sum()
        assert sum(found.moves[start][name] for start in SEGMENTS) + found.born[name] == (after == code).sum()
    assert found.n == (before != ABSENT).sum()


def test_those_born_and_those_gone_are_no_moves():
    before = np.array([SEGMENTS.index(Segment.NEW), ABSENT, SEGMENTS.index(Segment.LOYAL), ABSENT])
    after = np.array([SEGMENTS.index(Segment.CHAMPION), SEGMENTS.index(Segment.NEW), ABSENT, ABSENT])
    found = Migration.of(before, after)
    assert found.moves[Segment.NEW] == {**dict.fromkeys(SEGMENTS, 0), Segment.CHAMPION: 1}
    assert found.born == {**dict.fromkeys(SEGMENTS, 0), Segment.NEW: 1}
    assert found.gone == {**dict.fromkeys(SEGMENTS, 0), Segment.LOYAL: 1}
    assert found.n == 2
