"""The CDNOW sample, imported and asked about through the product's own commands: the published models and forecasts.

BG/NBD: Fader, Hardie and Lee (2005); MBG/NBD: Platzer's listing; gamma-gamma: Fader and Hardie's note.
"""

import product
import pytest

from services.analytics.histories import histories
from services.analytics.models import fitted
from services.analytics.population import population
from services.analytics.purchase_days import family
from services.analytics.scope import Question, scope
from shared.codec import Codec
from shared.keyring import SqliteKeyring
from shared.projections.generation import Generation
from shared.projections.postgres_home import PostgresHome
from shared.sqlite_files import open_reader, scalar
from shared.sqlite_scan import SqliteScan

pytestmark = [pytest.mark.data, pytest.mark.timeout(600)]

CALIBRATION, HOLDOUT, SEASON = "1997-09-30", "1998-06-30", "1997-12-29"
LAST_DAY = 10_134  # 1997-09-30


@pytest.fixture(scope="module")
def imported(dataset, tmp_path_factory):
    """The folder of an installation that has the sample, and nobody serves yet."""
    folder = tmp_path_factory.mktemp("cdnow")
    file = dataset("cdnow_sample_1of10.csv.gz")
    done = product.answer("import", "orders", file, "--format", "cdnow", "--data", folder / "data", cwd=folder)
    assert (done["rows"], done["accepted"], done["rejected"]) == (6_919, 6_919, 0)
    return folder / "data"


@pytest.fixture(scope="module")
def rapport(imported):
    """The command line, talking to the running installation."""
    with product.serving(imported):
        yield lambda *arguments: product.answer(*arguments, "--data", imported, cwd=imported.parent)


@pytest.fixture(scope="module")
def plain(rapport):
    """The models by plain maximum likelihood, against 39 weeks that they did not see."""
    asked = ("--as-of", CALIBRATION, "--no-guard", "--holdout-until", HOLDOUT)
    return rapport("analytics", "models", *asked)


def test_bg_nbd_is_the_published_one(plain):
    assert plain["n"] == 2_357
    found = plain["bg_nbd"]
    parameters = [found[name] for name in ("r", "alpha", "a", "b")]
    assert parameters == pytest.approx([0.242595, 4.413602, 0.792922, 2.425907], abs=5e-4)
    assert found["ll"] == pytest.approx(-9582.4292, abs=0.01)


def test_mbg_nbd_is_the_published_one(plain):
    found = plain["mbg_nbd"]
    parameters = [found[name] for name in ("r", "alpha", "a", "b")]
    assert parameters == pytest.approx([0.524843, 6.183086, 0.891359, 1.614002], abs=1e-3)
    assert found["ll"] == pytest.approx(-9582.1357, abs=0.01)


def test_spending_is_the_published_one(plain):
    found = plain["gamma_gamma"]
    assert found["n"] == 946
    assert found["p"] == pytest.approx(6.2497, abs=0.01)
    assert found["q"] == pytest.approx(3.7442, abs=0.01)
    assert found["v"] == pytest.approx(15.4430, abs=0.03)


@pytest.mark.parametrize(
    ("model", "total", "errors"),
    [("bg_nbd", 1653.4, (0.7855, 1.6080, 0.6256)), ("mbg_nbd", 1576.7, (0.7648, 1.6072, 0.6273))],
)
def test_the_forecast_of_39_weeks_is_the_published_one(plain, model, total, errors):
    found = plain["backtest"][model]
    assert found["actual"] == 1_882
    assert found["predicted"] == pytest.approx(total, abs=0.5)
    assert [found[name] for name in ("mae", "rmse", "corr")] == pytest.approx(errors, abs=5e-4)


@pytest.mark.parametrize(("until", "auc"), [(SEASON, 0.7886), (HOLDOUT, 0.7601)])
def test_who_will_lapse_is_told_as_well_as_measured(rapport, until, auc):
    asked = ("--as-of", CALIBRATION, "--no-guard", "--holdout-until", until)
    found = rapport("analytics", "models", *asked)
    assert found["backtest"]["mbg_nbd"]["auc"] == pytest.approx(auc, abs=3e-3)


def test_the_guard_moves_the_models_no_further_than_the_prior(rapport):
    found = rapport("analytics", "models", "--as-of", CALIBRATION)["bg_nbd"]
    assert (found["a"], found["b"]) == pytest.approx((0.7065, 2.0912), abs=1e-3)
    assert found["ll"] == pytest.approx(-9582.57, abs=0.01)


def test_purchases_come_at_random(rapport):
    found = rapport("analytics", "models", "--as-of", HOLDOUT)
    assert found["wheat_k"] == pytest.approx(1.0092, abs=1e-4)


def test_a_score_opens_down_to_its_events(rapport):
    asked = ("cdnow:1516", "--as-of", CALIBRATION)
    customer = rapport("analytics", "customer", *asked)
    for score, name in (("active", "active"), ("index", "index"), ("value", "value_minor"), ("r", "r")):
        opened = rapport("analytics", "explain", score, *asked)
        assert opened["value"] == pytest.approx(customer[name])
        assert opened["inputs"]["purchase_days"] == customer["x"] + 1
        assert len(opened["events"]) == customer["orders"]


def test_the_models_are_the_same_on_postgresql(imported, postgres_engine, tmp_path):
    """The read model of the imported log, replayed into PostgreSQL."""
    home = PostgresHome(postgres_engine, prefix="cdnow_")
    generation = Generation(family, 1, home.place("rhythm"), Codec(SqliteKeyring(tmp_path / "keys.db")))
    try:
        head = scalar(open_reader(imported / "events.db"), "SELECT max(position) FROM events")
        generation.replay(SqliteScan(imported / "events.db", 0, head))
        generation.refresh()
        with generation.read() as db:
            within = scope(db, Question(LAST_DAY))
            found = fitted(histories(db, within), LAST_DAY, minor=within.minor, guard=False)
            assert population(db, within).ranking.n == found.n == 2_357
    finally:
        generation.close()
    assert found.bg.log_likelihood == pytest.approx(-9582.4292, abs=0.01)
    assert found.mbg.log_likelihood == pytest.approx(-9582.1357, abs=0.01)
    assert found.spending.model.p == pytest.approx(6.2497, abs=0.01)
