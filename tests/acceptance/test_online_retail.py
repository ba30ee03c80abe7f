"""A year of a real shop, imported and asked about through the product's own commands: the measured figures, exactly."""

import asyncio
from collections import Counter
from datetime import date
from uuid import UUID

import product
import pytest
import sqlalchemy as sa

from services.analytics.identity import identifiers
from services.analytics.kept import Kept
from services.analytics.profile import profiles
from services.analytics.purchase_days import family
from services.analytics.scope import Question
from services.cli import services
from shared.clock import day_number
from shared.embedded import opened
from shared.settings import Settings

pytestmark = [pytest.mark.data, pytest.mark.timeout(1_800)]

LAST_DAY = "2010-12-09"
MAY, NOVEMBER = "2010-05-31", "2010-11-30"


async def segments_of(data, days):
    """Who was in which segment on each of these days."""
    found = {}
    async with opened(services(), Settings(data=data)) as embedded:
        with embedded.platform.models.read(family) as db:
            subjects = db.execute(sa.select(identifiers.c.customer)).scalars()
            customers = [UUID(subject.removeprefix("customer-")) for subject in subjects]
            for day in days:
                asked = Question(day_number(date.fromisoformat(day)))
                standing = profiles(db, Kept(), customers, asked).items()
                found[day] = {id_: profile.standing.segment.value for id_, profile in standing if profile.standing}
    return found


@pytest.fixture(scope="module")
def imported(dataset, tmp_path_factory):
    """The folder of an installation that has the year, and nobody serves yet."""
    folder = tmp_path_factory.mktemp("year")
    file = dataset("online_retail_2009_2010.csv.gz")
    done = product.answer(
        *("import", "orders", file, "--format", "online-retail", "--data", folder / "data"), cwd=folder
    )
    assert (done["rows"], done["rejected"], done["unchanged"]) == (525_461, 107_958, 0)
    return folder / "data"


@pytest.fixture(scope="module")
def segments(imported):
    return asyncio.run(segments_of(imported, (MAY, NOVEMBER)))


@pytest.fixture(scope="module")
def rapport(imported, segments):  # the segments are read before the folder is served: it has one process at a time
    """The command line, talking to the running installation."""
    with product.serving(imported):
        yield lambda *arguments: product.answer(*arguments, "--data", imported, cwd=imported.parent)


def test_the_base_is_the_measured_one(rapport):
    found = rapport("analytics", "base", "--as-of", LAST_DAY)
    counts = {name: found[name] for name in ("lines", "orders", "customers", "customer_days", "credit_notes")}
    assert counts == {
        "lines": 407_664,
        "orders": 19_213,
        "customers": 4_312,
        "customer_days": 16_999,
        "credit_notes": 4_372,
    }
    assert found["currency"] == "GBP"
    assert found["gross_minor"] == pytest.approx(883_200_326, abs=100)
    assert found["credit_minor"] == pytest.approx(-48_379_470, abs=100)


@pytest.mark.parametrize(
    ("customer", "counts", "figures"),
    [
        ("12748", (144, 95, 370, 370), (3.8947, 3, 3.8907)),
        ("17850", (155, 22, 362, 369), (16.4545, 1.5, 24.7535)),
        ("12346", (11, 6, 196, 360), (32.6667, 13.5, 43.615)),
        ("14911", (205, 127, 373, 373), (2.9370, 2, 3.0125)),
    ],
)
def test_the_rhythm_of_a_customer_is_the_measured_one(rapport, customer, counts, figures):
    found = rapport("analytics", "customer", f"online-retail:{customer}", "--as-of", LAST_DAY)
    assert tuple(found[name] for name in ("orders", "x", "t_x", "T")) == counts
    assert tuple(found[name] for name in ("mean", "median", "sd")) == pytest.approx(figures, abs=1e-4)


def test_the_intervals_are_the_measured_ones(rapport):
    found = rapport("analytics", "intervals", "--as-of", LAST_DAY)
    assert (found["n"], found["median"], found["p90"]) == (12_687, 28, 113)
    assert found["mean"] == pytest.approx(45.65, abs=5e-3)
    assert sum(count for _, _, count in found["histogram"]) == 12_687
    past = rapport("analytics", "intervals", "--as-of", "2010-11-30")
    assert past["wheat_k"] == pytest.approx(1.70, abs=5e-3)


def test_scores_and_segments_are_the_measured_ones(rapport):
    found = rapport("analytics", "rfm", "--as-of", "2010-11-30")
    assert found["n"] == 4_266
    assert found["r"] == [859, 870, 853, 854, 830]
    assert found["f"] == [1508, 848, 523, 592, 795]
    assert found["m"] == [854, 853, 853, 853, 853]
    assert found["segments"] == {
        "champion": 842,
        "loyal": 248,
        "at_risk": 212,
        "new": 300,
        "regular": 1394,
        "dormant": 1270,
    }


@pytest.mark.parametrize(("customer", "scores"), [("12748", (5, 5, 5)), ("17850", (2, 5, 5)), ("12347", (4, 1, 3))])
def test_the_standing_of_a_customer_is_the_measured_one(rapport, customer, scores):
    found = rapport("analytics", "customer", f"online-retail:{customer}", "--as-of", "2010-11-30")
    assert (found["r"], found["f"], found["m"]) == scores


def test_champions_of_may_went_where_they_were_measured_in_november(segments):
    then, now = segments[MAY], segments[NOVEMBER]
    moves = Counter((segment, now[customer]) for customer, segment in then.items())
    assert moves.total() == 2_703
    assert {to: count for (start, to), count in moves.items() if start == "champion"} == {
        "champion": 334,
        "at_risk": 85,
        "loyal": 76,
        "regular": 14,
    }
    assert moves["dormant", "dormant"] == 481


def test_movements_are_the_measured_ones(rapport):
    found = rapport("analytics", "migration", "--from", MAY, "--to", NOVEMBER)
    assert found["n"] == 2_703
    champions = found["matrix"]["champion"]
    assert {name: champions[name] for name in ("at_risk", "champion", "loyal", "regular")} == {
        "at_risk": 85,
        "champion": 334,
        "loyal": 76,
        "regular": 14,
    }
    assert found["matrix"]["dormant"]["dormant"] == 481
    assert (found["born"], found["gone"]) == (4_266 - 2_703, 0)


def test_the_portfolio_is_as_concentrated_as_measured(rapport):
    found = rapport("analytics", "portfolio", "--as-of", NOVEMBER)
    assert found["n"] == 4_266
    assert found["by_segment"]["champion"] / found["total_minor"] == pytest.approx(0.6177, abs=1e-3)
    assert found["top20_share"] == pytest.approx(0.7324, abs=1e-3)
    assert found["gini"] == pytest.approx(0.7023, abs=1e-3)


def test_one_year_says_nothing_of_dropout_and_the_models_say_so(rapport):
    found = rapport("analytics", "models", "--as-of", LAST_DAY)
    assert "mbg_nbd: dropout not identified" in found["flags"]


@pytest.mark.long
def test_the_same_file_again_changes_nothing(rapport, dataset):
    again = rapport("import", "orders", dataset("online_retail_2009_2010.csv.gz"), "--format", "online-retail")
    assert (again["accepted"], again["events"], again["unchanged"]) == (0, 0, 417_503)


@pytest.mark.long
def test_everything_can_be_proven(rapport):
    proof = rapport("verify")
    assert proof["ok"], proof
    assert {table["name"] for table in proof["projections"]} >= {"customer_days", "interval_histogram", "base_days"}
