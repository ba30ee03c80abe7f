import math
from dataclasses import asdict, astuple
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from purchase_logs import Log, day, simulated

from services.analytics.buying import Buying, Counts
from services.analytics.buying_fit import fit, gradient
from services.analytics.fitting import Fit, Flag, Verdict

BG = Buying(0.242595, 4.413602, 0.792922, 2.425907, m=0)
MBG = Buying(0.524843, 6.183086, 0.891359, 1.614002, m=1)
DECLINED = (Verdict.DECLINED, None, None, (Flag.NOT_ENOUGH_DATA,))


def counts(*rows, customers=None):
    x, t_x, age = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    return Counts(x, t_x, age, np.ones(len(x)) if customers is None else np.array(customers, dtype=np.float64))


def outcome(fitted):
    return fitted.verdict, fitted.model, fitted.log_likelihood, fitted.flags


parameter = st.floats(0.05, 50)
models = st.builds(Buying, parameter, parameter, parameter, parameter, m=st.sampled_from([0, 1]))
regular_models = st.builds(
    Buying, parameter, parameter, parameter, parameter, k=st.floats(0.5, 5), m=st.sampled_from([0, 1])
)
customer_rows = st.lists(
    st.tuples(st.integers(0, 300), st.floats(0, 100), st.floats(0, 500)).map(
        lambda row: (row[0], row[1] if row[0] else 0.0, (row[1] if row[0] else 0.0) + row[2])
    ),
    min_size=1,
    max_size=20,
)


@pytest.mark.parametrize(
    ("row", "bg", "mbg"),
    [
        ((0, 0, 38.86), (1.000000, 0.194782, 0.061738), (0.389715, 0.153954, 0.048561, 0.082895)),
        ((2, 30.43, 38.86), (0.726609, 1.225907, 0.323464), (0.706126, 1.262669, 0.333871, 0.482649)),
        ((1, 1.71, 38.86), (0.212232, 0.203255, 0.059104), (0.170820, 0.188790, 0.054777, 0.085553)),
        ((7, 29.43, 38.86), (0.641795, 3.337185, 0.546043), (0.622639, 3.166800, 0.530258, 0.602450)),
        ((26, 30.86, 31.0), (0.968919, 20.750276, 0.968654), (0.965553, 19.447982, 0.965213, 0.965552)),
    ],
)
def test_customers_of_the_published_models_have_the_known_figures(row, bg, mbg):
    one = counts(row)
    found = (BG.alive(one), BG.expected(one, 39), BG.active(one, 13))
    assert [value.item() for value in found] == pytest.approx(bg, rel=1e-5)
    found = (MBG.alive(one), MBG.expected(one, 39), MBG.active(one, 13), MBG.active(one, 26))
    assert [value.item() for value in found] == pytest.approx(mbg, rel=1e-5)


@given(regular_models, customer_rows, st.floats(0, 100), st.floats(0, 100))
def test_the_chance_to_be_active_grows_with_the_horizon_up_to_the_chance_to_be_alive(model, rows, h, more):
    some = counts(*rows)
    alive, soon, later = model.alive(some), model.active(some, h), model.active(some, h + more)
    assert ((alive >= 0) & (alive <= 1)).all()
    assert ((soon >= 0) & (soon <= later) & (later <= alive)).all()
    assert model.active(some, 0).tolist() == [0.0] * len(rows)


@given(models, customer_rows, st.floats(0.1, 200), st.floats(0.1, 200))
def test_expected_purchases_are_at_least_the_chance_of_one_and_grow_with_time(model, rows, t, more):
    some = counts(*rows)
    soon, later = model.expected(some, t), model.expected(some, t + more)
    assert (soon >= model.active(some, t) * (1 - 1e-6) - 1e-9).all()
    assert (later >= soon * (1 - 1e-6) - 1e-9).all()


@example(Buying(1.0, 1.0, 2.0, 1.0, m=0), 99, 0.0, 10.0)  # where scipy's hypergeometric function overflows
@given(models, st.integers(0, 300), st.floats(0, 500), st.floats(0.1, 200))
def test_expected_purchases_are_the_mean_over_all_dropout_probabilities(model, x, age, t):
    """One who buys at rate λ and drops out with probability p: (1 - exp(-λpt)) / p, over gamma λ by hand, p by sums."""
    odds = np.linspace(-600, 600, 24_001)
    log_p, log_rest = -np.logaddexp(0, -odds), -np.logaddexp(0, odds)
    density = model.a * log_p + (model.b + x + model.m) * log_rest
    p, weights = np.exp(log_p), np.exp(density - density.max())
    purchases = -np.expm1(-(model.r + x) * np.log1p(p * t / (model.alpha + age))) / p
    found = model.expected_if_alive(np.array([float(x)]), np.array([age]), t)
    assert found == pytest.approx([(weights * purchases).sum() / weights.sum()], rel=1e-5)


@pytest.mark.parametrize("a", [1 - 1e-9, 1.0, 1 + 1e-9])
def test_expected_purchases_have_no_hole_where_the_formula_divides_by_zero(a):
    rows = counts((0, 0, 30), (3, 20, 30))
    whole = Buying(0.5, 6.0, a, 1.5).expected(rows, 39)
    beside = [Buying(0.5, 6.0, 1 + nudge, 1.5).expected(rows, 39) for nudge in (-1e-4, 1e-4)]
    assert whole == pytest.approx((beside[0] + beside[1]) / 2, rel=1e-5)
    edge = Buying(0.5, 6.0, 0.4, 0.6, m=0)  # a + b - 1 = 0
    assert edge.expected(rows, 39) == pytest.approx(Buying(0.5, 6.0, 0.4, 0.60001, m=0).expected(rows, 39), rel=1e-4)


def test_expected_purchases_are_not_known_for_regular_intervals():
    with pytest.raises(ValueError, match="k = 1 only"):
        Buying(0.5, 6.0, 0.9, 1.5, k=2.0).expected(counts((1, 2, 3)), 39)


@pytest.mark.parametrize("m", [0, 1])
def test_a_regularity_of_one_is_the_same_by_the_general_formula(m):
    plain, general = Buying(0.5, 6.0, 0.9, 1.6, m=m), Buying(0.5, 6.0, 0.9, 1.6, k=1 + 1e-12, m=m)
    rows = counts((0, 0, 30), (3, 20, 30), (26, 30.86, 31))
    assert general.log_likelihood(rows) == pytest.approx(plain.log_likelihood(rows), rel=1e-9)
    assert general.alive(rows) == pytest.approx(plain.alive(rows), rel=1e-9)
    assert general.active(rows, 13) == pytest.approx(plain.active(rows, 13), rel=1e-9)


@given(models, customer_rows)
def test_the_gradient_is_the_slope_of_the_likelihood(model, rows):
    some = counts(*rows, customers=range(1, len(rows) + 1))

    def at(logs):
        r, alpha, odds, spread = np.exp(logs).tolist()
        return Buying(r, alpha, spread * odds / (1 + odds), spread / (1 + odds), m=model.m).log_likelihood(some)

    here = np.log([model.r, model.alpha, model.a / model.b, model.a + model.b])
    steps = 1e-5 * np.eye(4)
    slope = [(at(here + step) - at(here - step)) / 2e-5 for step in steps]
    assert gradient(model, some) == pytest.approx(slope, rel=1e-4, abs=1e-6 * (1 + abs(at(here))))


def test_grouping_changes_the_number_of_rows_and_nothing_else():
    columns = simulated(2_000)
    logs = float(np.log1p(columns[1]).sum())
    grouped, each = Counts.grouped(*columns, log_intervals=logs), Counts.each(*columns)
    assert len(grouped.x) < len(each.x) == grouped.n == each.n
    assert grouped.returning == each.returning == (columns[0] > 0).sum()
    assert MBG.log_likelihood(grouped) == pytest.approx(MBG.log_likelihood(each), rel=1e-12)
    assert grouped.log_intervals == pytest.approx(logs - columns[0].sum() * math.log(7))


def test_a_fit_is_the_same_whatever_the_order_of_the_customers():
    columns = np.array(simulated(2_000))
    shuffled = np.random.default_rng(5).permutation(columns, axis=1)
    rows, customers = np.unique(columns, axis=1, return_counts=True)
    found = fit(Counts.grouped(*columns))
    assert found == fit(Counts.grouped(*shuffled)) == fit(Counts.grouped(*rows, customers=customers))


def test_a_fit_finds_the_model_that_the_customers_were_drawn_from():
    found = fit(Counts.grouped(*simulated(60_000), unit=1))
    assert (found.verdict, found.flags, found.n) == (Verdict.FITTED, (), 60_000)
    model = found.model
    # All purchases of one day are one, so what buys quickest looks a little slower than drawn.
    assert (model.r, model.alpha / model.r, model.a / (model.a + model.b)) == pytest.approx(
        (0.8, 75.0, 0.2647), rel=0.07
    )


def test_the_unit_of_time_changes_alpha_alone():
    columns = simulated(3_000)
    days, weeks = (fit(Counts.grouped(*columns, unit=unit)).model for unit in (1, 7))
    assert days.alpha == pytest.approx(7 * weeks.alpha, rel=1e-4)
    assert (days.r, days.a, days.b) == pytest.approx((weeks.r, weeks.a, weeks.b), rel=1e-4)


def test_a_warm_start_ends_where_a_cold_one_does():
    some = Counts.grouped(*simulated(3_000))
    cold = fit(some)
    warm = fit(some, before=Buying(2.0, 30.0, 0.3, 4.0))
    assert warm.log_likelihood == pytest.approx(cold.log_likelihood, abs=1e-4)
    assert astuple(warm.model) == pytest.approx(astuple(cold.model), rel=1e-3)


def test_customers_who_never_drop_out_leave_dropout_unidentified():
    for m in (0, 1):
        found = fit(Counts.grouped(*simulated(3_000, r=2.0, alpha=80.0, a=0, m=m)), m=m)
        assert (found.verdict, found.flags) == (Verdict.FITTED, (Flag.DROPOUT_NOT_IDENTIFIED,))
        assert found.model.a + found.model.b >= 1 - 1e-9


def test_the_guard_keeps_few_customers_from_having_one_dropout_for_all():
    some = Counts.grouped(*simulated(60))
    plain, guarded = (fit(some, guard=guard) for guard in (False, True))
    assert plain.model.a + plain.model.b > 100
    assert guarded.model.a + guarded.model.b == pytest.approx(1)
    assert plain.flags == guarded.flags == (Flag.DROPOUT_NOT_IDENTIFIED,)


@pytest.mark.parametrize(
    "columns",
    [
        ([], [], []),
        ([4], [90], [100]),
        ([0] * 500, [0] * 500, range(500)),
        ([1] * 9 + [0] * 500, [5] * 9 + [0] * 500, [30] * 509),
        ([2] * 29, [5] * 29, [30] * 29),
    ],
    ids=["empty", "one customer", "one-time buyers", "nine who came back", "29 customers"],
)
def test_a_base_that_says_nothing_of_dropout_is_declined(columns):
    for k in (1.0, None):
        assert outcome(fit(Counts.grouped(*columns), k=k)) == DECLINED


def test_customers_who_are_all_the_same_have_no_model():
    found = fit(Counts.grouped([3] * 100, [90] * 100, [100] * 100))
    assert found.verdict is Verdict.REJECTED
    assert Flag.AT_A_BOUND in found.flags


def test_a_fit_is_rejected_when_its_backtest_missed_by_more_than_two_fifths():
    fitted = Fit.judged(MBG, 100, -300.0, [Flag.DROPOUT_NOT_IDENTIFIED])
    assert fitted.backtested(-0.4) == fitted.backtested(None) == fitted
    rejected = fitted.backtested(0.41)
    assert (rejected.verdict, rejected.model) == (Verdict.REJECTED, MBG)
    assert rejected.flags == (Flag.BACKTEST_FAILED, Flag.DROPOUT_NOT_IDENTIFIED)
    assert Fit.declined(3).backtested(0.9) == Fit.declined(3)


def test_a_fit_is_plain_data():
    found = asdict(fit(Counts.grouped(*simulated(100))))
    assert {name: type(value) for name, value in found["model"].items()} == {
        "r": float, "alpha": float, "a": float, "b": float, "k": float, "m": int,
    }  # fmt: skip
    assert type(found["log_likelihood"]) is float
    assert type(found["n"]) is int


CALIBRATED = day("1997-09-30")


@cache
def _log(path, customer):
    return Log.read(path, customer)


@pytest.fixture
def cdnow(dataset):
    return _log(dataset("cdnow_sample_1of10.csv.gz"), "customer_id")


@pytest.fixture
def grocery(dataset):
    return _log(dataset("btydplus_grocery_elog.csv.gz"), "cust").grouped(day("2006-12-31"))


@pytest.mark.data
@pytest.mark.parametrize(
    ("m", "parameters", "log_likelihood", "tolerance"),
    [
        (0, (0.242595, 4.413602, 0.792922, 2.425907), -9582.4292, 5e-4),
        (1, (0.524843, 6.183086, 0.891359, 1.614002), -9582.1357, 1e-3),
    ],
)
def test_the_published_parameters_of_cdnow_are_found(cdnow, m, parameters, log_likelihood, tolerance):
    base = cdnow.grouped(CALIBRATED)
    assert (base.n, base.returning, base.total(base.x)) == (2_357, 946, 2_457)
    found = fit(base, m=m, guard=False)
    assert (found.verdict, found.flags) == (Verdict.FITTED, ())
    assert astuple(found.model)[:4] == pytest.approx(parameters, abs=tolerance)
    assert found.log_likelihood == pytest.approx(log_likelihood, abs=0.01)


@pytest.mark.data
def test_the_guard_moves_cdnow_by_a_hair(cdnow):
    found = fit(cdnow.grouped(CALIBRATED), m=0)
    assert (found.model.a, found.model.b) == pytest.approx((0.7065, 2.0912), abs=5e-4)
    assert found.log_likelihood == pytest.approx(-9582.57, abs=0.01)


@pytest.mark.data
def test_expected_purchases_of_cdnow_by_past_purchases_are_the_measured_ones(cdnow):
    each = cdnow.each(CALIBRATED)
    classes = np.minimum(each.x, 7).astype(int)
    sizes = np.bincount(classes)
    assert sizes.tolist() == [1411, 439, 214, 100, 62, 38, 29, 64]
    for model, means in (
        (BG, (0.225, 0.523, 1.044, 1.520, 2.164, 2.654, 3.504, 6.157)),
        (MBG, (0.185, 0.551, 1.049, 1.493, 2.104, 2.564, 3.361, 5.849)),
    ):
        assert np.bincount(classes, weights=model.expected(each, 39)) / sizes == pytest.approx(means, abs=6e-4)


@pytest.mark.data
@pytest.mark.parametrize(
    ("m", "k", "log_likelihood", "regularity"),
    [
        (0, 1.0, -15836.566, 1.0),
        (1, 1.0, -15781.939, 1.0),
        (0, 2.0, -15054.173, 2.0),
        (1, 2.0, -14978.211, 2.0),
        (1, 3.0, -14996.85, 3.0),
        (1, None, -14931.06, 2.423),
    ],
)
def test_regular_grocery_shopping_has_the_published_likelihoods(grocery, m, k, log_likelihood, regularity):
    found = fit(grocery, m=m, k=k, guard=False)
    assert found.verdict is Verdict.FITTED
    assert found.log_likelihood == pytest.approx(log_likelihood, abs=0.01)
    assert found.model.k == pytest.approx(regularity, abs=1e-3)


@pytest.mark.data
def test_regular_grocery_shopping_has_the_published_parameters(grocery):
    found = fit(grocery, m=1, k=2.0, guard=False)
    assert astuple(found.model)[:4] == pytest.approx((1.3292, 2.8126, 0.4247, 0.7900), abs=1e-3)
