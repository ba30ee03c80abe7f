import gzip
import math
from dataclasses import astuple
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.accuracy import coverage
from services.analytics.fitting import Flag, Verdict
from services.analytics.regularity import Evenness, Regularity, regularity
from services.analytics.waiting import FARTHEST, Gaps, Waiting, fit, gradient

MODEL = Waiting(1.7, 2.2, 60.0)
LAST = 15_000
parameter = st.floats(0.2, 20)
models = st.builds(Waiting, parameter, parameter, st.floats(0.5, 500))
intervals_of_some = st.lists(st.lists(st.integers(1, 400), min_size=1, max_size=8), min_size=1, max_size=15)


def gaps(customers):
    logs = math.fsum(math.log(interval) for intervals in customers for interval in intervals)
    return Gaps.of([len(some) for some in customers], [sum(some) for some in customers], logs)


def drawn(n, k, r, alpha, seed=1):
    """Intervals of customers of a known model, in whole days."""
    draw = np.random.default_rng(seed)
    rates = draw.gamma(r, 1 / alpha, n)
    return [np.ceil(draw.gamma(k, 1 / rate, draw.integers(1, 9))).astype(int).tolist() for rate in rates]


@pytest.mark.parametrize(
    ("n", "total", "quantiles", "mean", "silence"),
    [
        (0, 0, (9.8724, 44.1577, 110.0460, 179.7927), 85.0000, 0.493086),
        (1, 30, (8.5331, 34.8170, 76.5568, 113.6684), 52.7586, 0.394936),
        (3, 90, (7.7143, 29.7370, 60.7292, 85.3907), 40.4762, 0.317635),
        (12, 300, (6.0602, 22.3290, 43.0865, 58.1749), 28.3333, 0.183261),
    ],
)
def test_the_next_interval_has_the_known_figures(n, total, quantiles, mean, silence):
    assert [float(MODEL.quantile(p, n, total)) for p in (0.1, 0.5, 0.8, 0.9)] == pytest.approx(quantiles, rel=1e-4)
    assert float(MODEL.mean(n, total)) == pytest.approx(mean, rel=1e-5)
    assert float(MODEL.silence(45, n, total)) == pytest.approx(silence, rel=1e-5)


def test_the_chance_to_buy_soon_is_the_known_one():
    assert float(MODEL.soon(14, 45, 3, 90)) == pytest.approx(0.337924, rel=1e-5)
    assert MODEL.soon(14, [45, 45], [3, 0], [90, 0])[0] == pytest.approx(0.337924, rel=1e-5)


def test_a_mean_that_is_not_finite_is_not_a_number():
    assert math.isnan(float(Waiting(1.7, 0.9, 60.0).mean(0, 0)))


@given(models, st.integers(0, 50), st.integers(1, 5_000), st.floats(0.05, 0.95))
def test_a_quantile_is_what_silence_says_of_it(model, n, total, p):
    days = float(model.quantile(p, n, total if n else 0))
    assert float(model.silence(days, n, total if n else 0)) == pytest.approx(1 - p, abs=1e-6)


@given(models, st.integers(0, 50), st.floats(0, 5_000), st.floats(0, 1e6), st.floats(0, 500), st.floats(0, 500))
def test_the_chance_to_buy_soon_is_a_chance_and_grows_with_the_days_ahead(model, n, total, elapsed, h, more):
    soon, later = (float(model.soon(days, elapsed, n, total)) for days in (h, h + more))
    assert 0 <= soon <= later + 1e-12 <= 1 + 1e-12


def test_a_customer_is_overdue_beyond_nine_of_ten():
    due = MODEL.due(LAST, 3, 90, LAST + 85)
    assert (due.own, due.earliest, due.day, due.latest) == (True, LAST + 8, LAST + 30, LAST + 85)
    assert (due.elapsed, due.overdue) == (85, False)
    assert due.shorter == pytest.approx(0.9, abs=2e-3)
    assert MODEL.due(LAST, 3, 90, LAST + 86).overdue


def test_a_single_purchase_is_due_by_the_population_and_never_overdue():
    due = MODEL.due(LAST, 0, 0, LAST + 1_000)
    assert (due.own, due.overdue) == (False, False)
    assert (due.earliest, due.day, due.latest) == (LAST + 10, LAST + 44, LAST + 180)
    assert due.shorter > 0.99


@given(models, intervals_of_some)
def test_the_gradient_is_the_slope_of_the_likelihood(model, customers):
    some, here = gaps(customers), np.log(astuple(model))

    def at(logs):
        return Waiting(*np.exp(logs).tolist()).log_likelihood(some)

    slope = [(at(here + step) - at(here - step)) / 2e-5 for step in 1e-5 * np.eye(3)]
    assert gradient(model, some) == pytest.approx(slope, rel=1e-4, abs=1e-6 * (1 + abs(at(here))))


def test_grouping_adds_up_equal_customers_and_leaves_out_those_without_an_interval():
    found = Gaps.of([1, 0, 2, 1], [30, 0, 40, 30], 9.5, customers=[2, 7, 1, 3])
    columns = (found.n, found.total, found.customers)
    assert [column.tolist() for column in columns] == [[1, 2], [30, 40], [5, 1]]
    assert found.log_intervals == 9.5


def test_a_fit_finds_the_model_that_the_intervals_were_drawn_from():
    found = fit(gaps(drawn(20_000, 1.9, 3.9, 140.0)))
    assert (found.verdict, found.flags, found.n) == (Verdict.FITTED, (), 20_000)
    assert astuple(found.model) == pytest.approx((1.9, 3.9, 140.0), rel=0.04)
    assert type(found.log_likelihood) is float


def test_a_fit_is_the_same_whatever_the_order_of_the_customers():
    customers = drawn(300, 1.9, 3.9, 140.0)
    assert fit(gaps(customers)) == fit(gaps(customers[::-1]))


@pytest.mark.parametrize(
    "customers",
    [[], [[30, 30, 30]], [[]] * 500, [[10, 20]] * 14, [[7] * 20] * 9],
    ids=["empty", "one customer", "one-time buyers", "28 intervals", "nine customers"],
)
def test_a_base_with_few_intervals_is_declined(customers):
    found = fit(gaps(customers))
    assert (found.verdict, found.model, found.flags) == (Verdict.DECLINED, None, (Flag.NOT_ENOUGH_DATA,))


def test_intervals_that_are_all_the_same_have_no_model():
    found = fit(gaps([[7, 7, 7]] * 50))
    assert found.verdict is Verdict.REJECTED
    assert Flag.AT_A_BOUND in found.flags


def test_regularity_needs_five_intervals():
    assert regularity([30, 31, 29, 30], 1.7) is None
    assert regularity([30, 31, 29, 30, 30], 1.7) is not None


def test_regularity_is_drawn_towards_the_base():
    intervals = [10, 40, 25, 60, 15]
    s = math.log(30) - sum(map(math.log, intervals)) / 5
    own = (3 - s + math.sqrt((s - 3) ** 2 + 24 * s)) / (12 * s)
    assert regularity(intervals, 1.0) == Regularity(pytest.approx((5 * own + 10) / 15), pytest.approx(own))


def test_a_clockwork_is_regular_and_not_infinitely_so():
    assert regularity([7] * 6, 1.0) == Regularity((600 + 10) / 16, 100.0)
    assert regularity([1_000_000, 1_000_001] * 3, 1.0).own == 100.0


@pytest.mark.parametrize(
    ("k", "name"),
    [
        (0.79, Evenness.BURSTY),
        (0.8, Evenness.IRREGULAR),
        (1.5, Evenness.FAIRLY_REGULAR),
        (2.49, Evenness.FAIRLY_REGULAR),
        (2.51, Evenness.REGULAR),
    ],
)
def test_a_regularity_has_a_name(k, name):
    assert Regularity(k, k).evenness is name


@pytest.mark.data
def test_household_purchases_are_predicted_as_measured(dataset):
    """Fit on intervals that end by day 120; predict each that starts on day 121 to 199 from its past alone."""
    ends_of_keys, starts, key = _intervals(dataset("completejourney_transactions_w01_40.csv.gz"))
    lengths = (ends_of_keys - starts).astype(float)
    known = ends_of_keys <= 120
    n, total = np.bincount(key[known]), np.bincount(key[known], weights=lengths[known])
    found = fit(Gaps.of(n, total, math.fsum(np.log(lengths[known]))))
    assert astuple(found.model) == pytest.approx((1.933, 3.909, 44.44), rel=0.02)

    first = np.searchsorted(key, key)
    passed = np.arange(len(key)) - first
    asked = (starts >= 121) & (starts <= 199) & (passed > 0)
    elapsed = np.cumsum(lengths) - lengths
    n, total, came = passed[asked], (elapsed - elapsed[first])[asked], lengths[asked]
    error = np.abs(found.model.quantile(0.5, n, total) - came).mean()
    assert error == pytest.approx(18.8, abs=0.05)
    assert error < 0.85 * np.abs(total / n - came).mean()
    assert coverage(came, found.model.quantile(0.1, n, total), found.model.quantile(0.9, n, total)) >= 0.72


def _intervals(path):
    """The end, start and number of household and product of each interval, by number and time."""
    numbers, bought = {}, set()
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            household, _, at, product, _ = line.split(",", 4)
            on = numbers.get(at[:10])
            if on is None:
                on = numbers[at[:10]] = (date.fromisoformat(at[:10]) - date(2017, 1, 1)).days
            bought.add(int(household) << 40 | int(product) << 12 | on)
    ordered = np.sort(np.fromiter(bought, dtype=np.int64, count=len(bought)))
    days, keys = ordered & 0xFFF, ordered >> 12
    same = keys[1:] == keys[:-1]
    return days[1:][same], days[:-1][same], np.unique(keys[1:][same], return_inverse=True)[1]


def test_what_is_due_in_a_century_has_a_date_still():
    unequal = Waiting(k=1.0, r=0.05, alpha=1_000.0)
    due = unequal.due(last=14_000, n=0, total=0, as_of=14_000)
    assert due.latest == 14_000 + FARTHEST
