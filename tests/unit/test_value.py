import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from purchase_logs import Log, day, simulated

from services.analytics.buying import Buying, Counts
from services.analytics.spending import Baskets, Spending, fit
from services.analytics.value import (
    LAPSES,
    Basis,
    Concentration,
    Lapse,
    Terms,
    discounted_purchases,
    lapse_bands,
    lapse_horizon,
    lifetime_value,
)

BG = Buying(0.242595, 4.413602, 0.792922, 2.425907, m=0)
MBG = Buying(0.524843, 6.183086, 0.891359, 1.614002, m=1)
SPENDING = Spending(6.249690, 3.744180, 15.442988)


def test_the_value_of_a_customer_is_the_sum_over_the_weeks():
    columns = simulated(40)
    each, terms = Counts.each(*columns), Terms(weeks=30, discount=0.15, margin=0.3)
    baskets = Baskets.of(columns[0], columns[0] * 25.0)
    until = [MBG.expected(each, week) for week in range(31)]
    weeks = [(until[j] - until[j - 1]) * 1.15 ** (-j / 52) for j in range(1, 31)]
    found = lifetime_value(MBG, SPENDING, each, baskets, terms)
    assert found == pytest.approx(sum(weeks) * SPENDING.expected(baskets) * 0.3, rel=1e-9)


def test_without_a_margin_the_value_is_revenue_and_says_so():
    each, baskets = Counts.each([0], [0], [70]), Baskets.of([0], [0])
    assert (Terms().basis, Terms(margin=0.3).basis) == (Basis.REVENUE, Basis.MARGIN)
    revenue, all_of_it = (lifetime_value(MBG, SPENDING, each, baskets, Terms(margin=m)) for m in (None, 1.0))
    assert revenue == pytest.approx(all_of_it)


def test_the_value_is_the_same_in_days_and_weeks():
    columns = simulated(40)
    in_days = Buying(MBG.r, 7 * MBG.alpha, MBG.a, MBG.b)
    weeks = discounted_purchases(MBG, Counts.each(*columns), Terms())
    assert discounted_purchases(in_days, Counts.each(*columns, unit=1), Terms(), unit=1) == pytest.approx(weeks)


def test_nobody_is_worth_nothing():
    assert discounted_purchases(MBG, Counts.each([], [], []), Terms()).tolist() == []


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60))
def test_concentration_follows_its_definition(values):
    found, n, total = Concentration.of(values), len(values), sum(values)
    assert (found.n, found.total) == (n, total)
    if not total:
        assert (found.top_share, found.gini) == (None, None)
        return
    pairs = sum(abs(one - other) for one in values for other in values)
    assert found.gini == pytest.approx(pairs / (2 * n * total), abs=1e-12)
    top = sum(sorted(values, reverse=True)[: n // 5])
    assert found.top_share == (pytest.approx(top / total) if n >= 5 else None)


def test_concentration_of_nobody_is_undefined():
    assert Concentration.of([]) == Concentration(0, 0.0, None, None)


@pytest.mark.parametrize(("median", "days"), [(None, 90), (28.0, 90), (30.5, 92), (31.5, 95), (40.0, 120)])
def test_the_horizon_is_three_intervals_and_a_season_at_least(median, days):
    assert lapse_horizon(median) == days


def test_the_bands_of_lapse_have_cut_offs():
    active = np.array([0.0, 0.25, 0.35, 0.6, 0.65, 1.0])
    names = [LAPSES[code] for code in lapse_bands(active)]
    assert names == [Lapse.HIGH, Lapse.HIGH, Lapse.MEDIUM, Lapse.MEDIUM, Lapse.LOW, Lapse.LOW]
    assert [LAPSES[code] for code in lapse_bands(active, high=0.9, medium=0.8)][:3] == [
        Lapse.HIGH, Lapse.LOW, Lapse.LOW,
    ]  # fmt: skip


@pytest.mark.data
def test_the_spend_of_cdnow_that_was_held_out_is_predicted_as_measured(dataset):
    log, calibrated = Log.read(dataset("cdnow_sample_1of10.csv.gz"), "customer_id", "amount"), day("1997-09-30")
    each, baskets = log.each(calibrated), log.baskets(calibrated)
    _, came = log.later(calibrated, calibrated + 273)
    assert came.sum() == pytest.approx(70_976.39)
    spending, undiscounted = fit(baskets).model, Terms(weeks=39, discount=0.0)
    bg, mbg = (lifetime_value(model, spending, each, baskets, undiscounted) for model in (BG, MBG))
    assert (bg.sum(), mbg.sum()) == pytest.approx((59_931.63, 57_128.10), rel=1e-4)
    best = np.argsort(-mbg)[: 2_357 // 5]
    assert came[best].sum() / came.sum() == pytest.approx(0.669, abs=1e-3)
