"""A year of a real shop, imported and asked about through the product's own commands: the measured figures, exactly."""

import asyncio
import io
import json
from collections import Counter
from contextlib import asynccontextmanager, redirect_stdout
from datetime import date
from uuid import UUID

import pytest
import sqlalchemy as sa

from services.analytics.kept import Kept
from services.analytics.main import SERVICE as ANALYTICS
from services.analytics.profile import profiles
from services.analytics.purchase_days import family, identifiers
from services.analytics.scope import Question
from services.commands.app import run
from services.commands.composition import Composition
from services.contacts.main import SERVICE as CONTACTS
from services.portal.main import SERVICE as PORTAL
from shared.clock import day_number
from shared.embedded import opened
from shared.settings import Settings

pytestmark = [pytest.mark.data, pytest.mark.timeout(1_800)]

SERVICES = (CONTACTS, PORTAL, ANALYTICS)
LAST_DAY = "2010-12-09"


@asynccontextmanager
async def open_app(data):
    async with opened(SERVICES, Settings(data=data)) as embedded:
        yield embedded.for_cli()


async def unused(*_arguments):
    raise AssertionError("no server and no broker is part of this test")


class Rapport:
    """The command line over one folder."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, *arguments):
        with redirect_stdout(io.StringIO()) as printed:
            code = run(
                [*map(str, arguments), "--data", str(self.folder), "--json"], Composition(open_app, unused, unused)
            )
        assert code == 0, arguments
        return json.loads(printed.getvalue())

    def segments(self, as_of):
        """Who is in which segment."""
        return asyncio.run(self._segments(day_number(date.fromisoformat(as_of))))

    async def _segments(self, as_of):
        async with opened(SERVICES, Settings(data=self.folder)) as embedded:
            with embedded.platform.models.read(family) as db:
                subjects = db.execute(sa.select(identifiers.c.customer)).scalars()
                customers = [UUID(subject.removeprefix("customer-")) for subject in subjects]
                found = profiles(db, Kept(), customers, Question(as_of))
        return {id_: profile.standing.segment.value for id_, profile in found.items() if profile.standing}


@pytest.fixture(scope="module")
def rapport(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("year")
    rapport = Rapport(folder / "data")
    file = dataset("online_retail_2009_2010.csv.gz")
    done = rapport("import", "orders", file, "--format", "online-retail", "--rejects", folder / "rejects.csv")
    assert (done["rows"], done["rejected"], done["unchanged"]) == (525_461, 107_958, 0)
    return rapport


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


def test_champions_of_may_went_where_they_were_measured_in_november(rapport):
    then, now = rapport.segments("2010-05-31"), rapport.segments("2010-11-30")
    moves = Counter((segment, now[customer]) for customer, segment in then.items())
    assert moves.total() == 2_703
    assert {to: count for (start, to), count in moves.items() if start == "champion"} == {
        "champion": 334,
        "at_risk": 85,
        "loyal": 76,
        "regular": 14,
    }
    assert moves["dormant", "dormant"] == 481


def test_the_same_file_again_changes_nothing_and_everything_can_be_proven(rapport, dataset, tmp_path):
    file = dataset("online_retail_2009_2010.csv.gz")
    again = rapport("import", "orders", file, "--format", "online-retail", "--rejects", tmp_path / "rejects.csv")
    assert (again["accepted"], again["events"], again["unchanged"]) == (0, 0, 417_503)
    proof = rapport("verify")
    assert proof["ok"], proof
    assert {table["name"] for table in proof["projections"]} >= {"customer_days", "interval_histogram", "base_days"}
