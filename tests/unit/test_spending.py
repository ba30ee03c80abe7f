from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from purchase_logs import Log, day

from services.analytics.fitting import Flag, Verdict
from services.analytics.spending import Baskets, Spending, fit, gradient

CDNOW = Spending(6.249690, 3.744180, 15.442988)


def drawn(n, p, q, v, seed=1):
    """Customers of a known model."""
    draw = np.random.default_rng(seed)
    x = draw.integers(1, 12, n).astype(float)
    return Baskets(x, draw.gamma(p * x, 1 / (draw.gamma(q, 1 / v, n) * x)))


def test_expected_spend_is_the_known_one():
    found = CDNOW.expected(Baskets(np.array([1.0, 2.0, 5.0, 0.0]), np.array([10.0, 50.0, 35.08, 0.0])))
    assert found == pytest.approx([17.6799, 47.3303, 35.0873, 35.1704], rel=1e-5)
    assert CDNOW.mean == pytest.approx(35.1704, rel=1e-5)


def test_what_is_all_refunded_tells_nothing():
    baskets = Baskets.of([0, 2, 3, 4], [0, 30, 0, -12])
    assert baskets.mean.tolist() == [0, 15, 0, -3]
    assert baskets.told.tolist() == [False, True, False, False]
    assert CDNOW.expected(baskets)[[0, 2, 3]] == pytest.approx([CDNOW.mean] * 3)


@given(
    st.builds(Spending, st.floats(0.1, 20), st.floats(1.1, 20), st.floats(0.1, 1e4)),
    st.lists(st.tuples(st.integers(1, 200), st.floats(0.01, 1e5)), min_size=1, max_size=20),
)
def test_the_gradient_is_the_slope_of_the_likelihood(model, rows):
    x, mean = np.array(rows, dtype=float).T
    baskets = Baskets(x, mean)
    here = np.log(astuple(model))

    def at(logs):
        return Spending(*np.exp(logs).tolist()).log_likelihood(baskets)

    slope = [(at(here + step) - at(here - step)) / 2e-5 for step in 1e-5 * np.eye(3)]
    assert gradient(model, baskets) == pytest.approx(slope, rel=1e-4, abs=1e-6 * (1 + abs(at(here))))


@given(
    st.builds(Spending, st.floats(0.1, 20), st.floats(1.1, 20), st.floats(0.1, 1e4)),
    st.integers(1, 300),
    st.floats(0.01, 1e5),
)
def test_expected_spend_lies_between_the_customers_own_and_the_bases(model, x, mean):
    expected = model.expected(Baskets(np.array([float(x)]), np.array([mean]))).item()
    assert min(mean, model.mean) * (1 - 1e-9) <= expected <= max(mean, model.mean) * (1 + 1e-9)


def test_a_fit_finds_the_model_that_the_spend_was_drawn_from():
    found = fit(drawn(40_000, 6.25, 3.74, 15.44))
    assert (found.verdict, found.n) == (Verdict.FITTED, 40_000)
    assert astuple(found.model) == pytest.approx((6.25, 3.74, 15.44), rel=0.05)


def test_cents_have_the_same_fit_as_euros():
    euros = drawn(500, 6.25, 3.74, 15.44)
    whole, cents = fit(euros).model, fit(Baskets(euros.x, euros.mean * 1e8)).model
    assert (cents.p, cents.q, cents.v) == pytest.approx((whole.p, whole.q, whole.v * 1e8), rel=1e-3)


@pytest.mark.parametrize(
    "baskets",
    [Baskets.of([], []), Baskets.of([2], [40]), Baskets.of([0] * 500, [0] * 500), Baskets.of([3] * 500, [0] * 500)],
    ids=["empty", "one customer", "one-time buyers", "all refunded"],
)
def test_a_base_without_repeat_spend_is_declined(baskets):
    found = fit(baskets)
    assert (found.verdict, found.model, found.flags) == (Verdict.DECLINED, None, (Flag.NOT_ENOUGH_DATA,))


def test_customers_who_all_spend_the_same_have_no_model():
    found = fit(Baskets(np.full(100, 3.0), np.full(100, 25.0)))
    assert found.verdict is Verdict.REJECTED
    assert Flag.AT_A_BOUND in found.flags


def test_spend_without_a_finite_mean_is_rejected():
    found = fit(drawn(5_000, 3.0, 0.6, 10.0))
    assert (found.verdict, found.flags, found.model.mean) == (Verdict.REJECTED, (Flag.NO_MEAN,), None)


@pytest.mark.data
def test_the_published_parameters_of_cdnow_are_found(dataset):
    log = Log.read(dataset("cdnow_sample_1of10.csv.gz"), "customer_id", "amount")
    baskets = log.baskets(day("1997-09-30"))
    found = fit(baskets)
    assert (found.verdict, found.n) == (Verdict.FITTED, 946)
    assert (found.model.p, found.model.q) == pytest.approx((6.2497, 3.7442), abs=0.01)
    assert found.model.v == pytest.approx(15.4430, abs=0.03)
    assert baskets.spenders().mean.mean() == pytest.approx(35.08, abs=5e-3)
    assert found.model.mean == pytest.approx(35.170, abs=2e-3)
