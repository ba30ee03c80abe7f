import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from purchase_logs import Log, day

from services.analytics.accuracy import Accuracy, auc, calibration_error, coverage
from services.analytics.buying_fit import fit


def floats(*values):
    return np.array(values, dtype=np.float64)


def test_a_forecast_is_measured_against_what_came():
    assert Accuracy.of(floats(0, 2, 4), floats(1, 2, 6)) == Accuracy(
        n=3,
        actual=6.0,
        predicted=9.0,
        total_error=0.5,
        calibration_factor=pytest.approx(2 / 3),
        mae=1.0,
        rmse=pytest.approx((5 / 3) ** 0.5),
        correlation=pytest.approx(0.944911),
    )


def test_what_is_undefined_is_none():
    assert Accuracy.of(floats(), floats()) == Accuracy(0, 0.0, 0.0, None, None, None, None, None)
    assert Accuracy.of(floats(0, 0), floats(0, 0)) == Accuracy(2, 0.0, 0.0, None, None, 0.0, 0.0, None)
    assert auc(np.array([], dtype=bool), floats()) is None
    assert auc(np.array([True, True]), floats(0.1, 0.2)) is None
    assert auc(np.array([False]), floats(0.1)) is None
    assert calibration_error(np.array([], dtype=bool), floats()) is None
    assert coverage(floats(), floats(), floats()) is None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=40))
def test_auc_is_the_share_of_pairs_in_the_right_order_and_ties_count_half(rows):
    happened, score = np.array([row[0] for row in rows]), floats(*(row[1] for row in rows))
    yes, no = score[happened], score[~happened]
    pairs = [(one > other) + (one == other) / 2 for one in yes for other in no]
    assert auc(happened, score) == (pytest.approx(sum(pairs) / len(pairs)) if pairs else None)


def test_chances_are_compared_with_frequencies_bin_by_bin():
    happened = np.array([True, False, False, False, True])
    assert calibration_error(happened, floats(0.25, 0.25, 0.25, 0.25, 1.0)) == pytest.approx(0.0)
    assert calibration_error(happened, floats(0.05, 0.15, 0.25, 0.35, 0.45)) == pytest.approx(
        (0.95 + 0.15 + 0.25 + 0.35 + 0.55) / 5
    )


def test_coverage_counts_both_ends():
    assert coverage(floats(1, 2, 3, 4), floats(1, 0, 0, 5), floats(9, 2, 2, 9)) == 0.5


@pytest.fixture(scope="module")
def cdnow(dataset):
    return Log.read(dataset("cdnow_sample_1of10.csv.gz"), "customer_id")


CALIBRATED = day("1997-09-30")


@pytest.mark.data
@pytest.mark.parametrize(
    ("m", "predicted", "figures"), [(0, 1653.4, (0.7855, 1.6080, 0.6256)), (1, 1576.7, (0.7648, 1.6072, 0.6273))]
)
def test_the_purchases_of_cdnow_that_were_held_out_are_predicted_as_published(cdnow, m, predicted, figures):
    came, _ = cdnow.later(CALIBRATED, CALIBRATED + 273)
    model = fit(cdnow.grouped(CALIBRATED), m=m, guard=False).model
    found = Accuracy.of(came, model.expected(cdnow.each(CALIBRATED), 39))
    assert (found.n, found.actual) == (2_357, 1_882)
    assert found.predicted == pytest.approx(predicted, abs=0.5)
    assert (found.mae, found.rmse, found.correlation) == pytest.approx(figures, abs=5e-4)


@pytest.mark.data
@pytest.mark.parametrize(("horizon", "expected"), [(90, 0.7886), (273, 0.7601)])
def test_the_chance_to_be_active_ranks_cdnow_as_measured(cdnow, horizon, expected):
    came, _ = cdnow.later(CALIBRATED, CALIBRATED + horizon)
    each = cdnow.each(CALIBRATED)
    model = fit(cdnow.grouped(CALIBRATED), guard=False).model
    assert auc(came > 0, model.active(each, horizon / 7)) == pytest.approx(expected, abs=3e-3)
    alive = auc(came > 0, fit(cdnow.grouped(CALIBRATED), m=0, guard=False).model.alive(each))
    assert alive < 0.5  # why nobody is ever ranked on being alive
