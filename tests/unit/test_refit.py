"""Models at the close of a day: fitted from where the last ones stand, rejected for a reason, or passed over."""

import random
from dataclasses import replace

import pytest

from services.analytics import refit as refitting
from services.analytics.events import ModelFitted, ModelRejected
from services.analytics.fitting import Fit, Flag
from services.analytics.histories import Histories
from services.analytics.refit import BUYING, INTERVALS, SPENDING, model_of, refit

DAY = 20_000


@pytest.fixture(scope="module")
def some():
    """Customers who buy at rates of their own until they drop out, and spend unequally."""
    rng = random.Random(8)
    rows = []
    for number in range(150):
        rate, drops = rng.gammavariate(1.5, 1 / 30), rng.betavariate(1, 3)
        usual = 1_000 + rng.expovariate(1 / 3_000)
        day = DAY - rng.uniform(30, 500)
        while day < DAY:
            rows.append((f"customer-{number:03}", int(day), 1, int(usual * rng.gammavariate(3, 1 / 3)) + 1, 0))
            if rng.random() < drops:
                break
            day += max(1.0, rng.expovariate(rate))
    customers, *columns = zip(*rows, strict=True)
    return Histories.of(list(customers), tuple(columns))


@pytest.fixture(scope="module")
def fitted(some):
    return {event.model: event for event in refit(some, DAY, "GBP", {})}


def test_each_model_is_fitted_and_says_all_that_it_is(some, fitted):
    assert list(fitted) == [BUYING, SPENDING, INTERVALS]
    assert all(isinstance(event, ModelFitted) for event in fitted.values())
    assert {event.version for event in fitted.values()} == {f"{name}-2024-10-04" for name in fitted}
    assert [event.unit for event in fitted.values()] == ["week", "GBP", "day"]
    assert model_of(fitted[BUYING]).r == fitted[BUYING].parameters["r"]
    assert model_of(fitted[INTERVALS]).k == fitted[INTERVALS].parameters["k"]
    assert fitted[BUYING].n == 150


def test_the_model_of_buying_says_how_it_would_have_done(fitted):
    told = fitted[BUYING].backtest
    assert told.horizon_days >= 90
    assert told.calibration_factor == pytest.approx(told.actual / told.predicted)
    assert fitted[SPENDING].backtest is None


def test_a_fit_that_starts_from_the_last_one_comes_to_the_same(some, fitted):
    again = {event.model: event for event in refit(some, DAY, "GBP", fitted)}
    for name, event in again.items():
        assert event.log_likelihood == pytest.approx(fitted[name].log_likelihood, abs=1e-3)


def test_what_was_judged_today_is_not_judged_again(some, fitted):
    assert [event.model for event in refit(some, DAY, "GBP", fitted, [BUYING, SPENDING])] == [INTERVALS]


def test_a_fit_that_lost_its_way_is_rejected_and_the_one_before_kept(some, fitted, monkeypatch):
    whole = refitting.waiting.fit

    def lost(gaps):
        found = whole(gaps)
        model = replace(found.model, alpha=3 * found.model.alpha)
        return Fit.judged(model, found.n, model.log_likelihood(gaps))

    monkeypatch.setattr(refitting.waiting, "fit", lost)
    (event,) = refit(some, DAY, "GBP", fitted, [BUYING, SPENDING])
    assert isinstance(event, ModelRejected)
    assert (event.reasons, event.kept) == (("worse than before",), fitted[INTERVALS].version)


def test_a_rejected_fit_says_why_and_that_there_is_none_to_keep(some, monkeypatch):
    whole = refitting.waiting.fit

    def stuck(gaps):
        found = whole(gaps)
        flags = [Flag.AT_A_BOUND, Flag.DROPOUT_NOT_IDENTIFIED]
        return Fit.judged(found.model, found.n, found.log_likelihood, flags)

    monkeypatch.setattr(refitting.waiting, "fit", stuck)
    (event,) = refit(some, DAY, "GBP", {}, [BUYING, SPENDING])
    assert (event.reasons, event.kept) == (("at a bound",), None)


def test_a_base_that_can_carry_no_model_is_passed_over(some):
    assert list(refit(some.until(0), DAY, "GBP", {})) == []
    few = some.until(int(some.day.min()) + 20)
    assert list(refit(few, int(some.day.min()) + 20, "GBP", {})) == []
