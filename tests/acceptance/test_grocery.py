"""Two years of an online grocer, imported and asked about through the product's own commands: the published figures."""

import product
import pytest

pytestmark = [pytest.mark.data, pytest.mark.long]

CALIBRATION, LAST_DAY = "2006-12-31", "2007-12-30"


@pytest.fixture(scope="module")
def imported(dataset, tmp_path_factory):
    """The folder of an installation that has the log, and nobody serves yet."""
    folder = tmp_path_factory.mktemp("grocery")
    file = dataset("btydplus_grocery_elog.csv.gz")
    done = product.answer("import", "orders", file, "--format", "elog", "--data", folder / "data", cwd=folder)
    assert (done["rows"], done["rejected"], done["unchanged"]) == (10_483, 0, 0)
    return folder / "data"


@pytest.fixture(scope="module")
def rapport(imported):
    """The command line, talking to the running installation."""
    with product.serving(imported):
        yield lambda *arguments: product.answer(*arguments, "--data", imported, cwd=imported.parent)


@pytest.mark.parametrize(("as_of", "orders"), [(CALIBRATION, 7_094), (LAST_DAY, 10_483)])
def test_every_customer_began_in_the_first_year(rapport, as_of, orders):
    found = rapport("analytics", "base", "--as-of", as_of)
    counts = {name: found[name] for name in ("lines", "orders", "customers", "customer_days", "gross_minor")}
    assert counts == {"lines": orders, "orders": orders, "customers": 1_525, "customer_days": orders, "gross_minor": 0}


def test_the_timing_is_as_regular_as_published(rapport):
    found = rapport("analytics", "intervals", "--as-of", LAST_DAY)
    assert found["n"] == 10_483 - 1_525
    assert found["wheat_k"] == pytest.approx(1.8703, abs=1e-3)


def test_the_models_of_regular_buyers_are_the_published_ones(rapport):
    found = rapport("analytics", "models", "--as-of", CALIBRATION, "--no-guard")
    assert found["bg_nbd"]["ll"] == pytest.approx(-15836.566, abs=0.02)
    assert found["mbg_nbd"]["ll"] == pytest.approx(-15781.939, abs=0.02)
    assert (found["cnbd"]["k"], found["cnbd"]["ll"]) == (2, pytest.approx(-14978.211, abs=0.02))
    assert "gamma_gamma: not enough data" in found["flags"]  # the file knows no amounts


def test_the_same_file_again_changes_nothing(rapport, dataset):
    again = rapport("import", "orders", dataset("btydplus_grocery_elog.csv.gz"), "--format", "elog")
    assert (again["accepted"], again["events"], again["unchanged"]) == (0, 0, 10_483)


def test_everything_can_be_proven(rapport):
    proof = rapport("verify")
    assert proof["ok"], proof
