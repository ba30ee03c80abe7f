"""Forty weeks of households' baskets, imported through the product's own commands: the measured timing of products."""

import product
import pytest

pytestmark = [pytest.mark.data, pytest.mark.long, pytest.mark.timeout(3_600)]

DAY_120, LAST_DAY = "2017-05-01", "2017-10-07"


@pytest.fixture(scope="module")
def rapport(dataset, tmp_path_factory):
    """The command line, talking to an installation that has the baskets."""
    folder = tmp_path_factory.mktemp("journey")
    file = dataset("completejourney_transactions_w01_40.csv.gz")
    done = product.answer("import", "orders", file, "--format", "baskets", "--data", folder / "data", cwd=folder)
    assert (done["rows"], done["accepted"], done["rejected"]) == (1_101_174, 1_092_812, 8_362)
    with product.serving(folder / "data"):
        yield lambda *arguments: product.answer(*arguments, "--data", folder / "data", cwd=folder)


def test_the_base_is_that_of_the_file(rapport):
    found = rapport("analytics", "base", "--as-of", LAST_DAY)
    assert (found["orders"], found["customers"], found["customer_days"]) == (116_912, 2_447, 95_016)
    assert found["gross_minor"] == 341_737_983


def test_the_next_purchase_of_a_product_is_foretold_better_than_by_own_means(rapport):
    asked = ("--each-product", "--fit-until", DAY_120, "--as-of", LAST_DAY)
    found = rapport("analytics", "intervals", *asked)
    timing, told = found["timing"], found["backtest"]
    assert timing["k"] == pytest.approx(1.933, rel=0.02)
    assert timing["r"] == pytest.approx(3.909, rel=0.02)
    assert timing["alpha"] == pytest.approx(44.44, rel=0.02)
    assert told["mae"] <= 0.85 * min(told["mae_own_mean"], told["mae_own_median"])
    assert told["coverage"] >= 0.72
