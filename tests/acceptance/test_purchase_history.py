"""The published and measured figures of real purchase histories, computed straight from the files."""

import csv
import gzip
import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pytest

from services.analytics.intervals import Intervals, wheat_morrison_k
from services.analytics.loyalty import SEGMENTS, Purchases, Ranking
from services.analytics.rhythm import Rhythm

pytestmark = [pytest.mark.data, pytest.mark.long]

FOLDER = Path(os.environ.get("RAPPORT_TEST_DATA", Path(__file__).parents[2].parent / "shared" / "data"))


def day(text):
    return (date.fromisoformat(text[:10]) - date(1970, 1, 1)).days


def rows_of(name):
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"{path} is absent; RAPPORT_TEST_DATA names the folder of the data sets")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


@dataclass
class Customer:
    orders: dict[str, int] = field(default_factory=dict)  # invoice: day
    gross: Counter = field(default_factory=Counter)  # day: cents

    def rhythm(self, as_of):
        return Rhythm.of(((day, 1) for day in self.orders.values()), as_of)


@pytest.fixture(scope="module")
def shop():
    customers = defaultdict(Customer)
    for row in rows_of("online_retail_2009_2010.csv.gz"):
        quantity, price = int(row["quantity"]), Decimal(row["price"])
        if row["invoice"].startswith("C") or not row["customer_id"] or quantity <= 0 or price <= 0:
            continue
        customer = customers[row["customer_id"]]
        placed = customer.orders.setdefault(row["invoice"], day(row["invoice_date"]))
        customer.gross[placed] += int((100 * quantity * price).to_integral_value(ROUND_HALF_UP))
    return dict(customers)


def rhythms_of_log(name, customer, as_of):
    days = defaultdict(list)
    for row in rows_of(name):
        days[row[customer]].append((day(row["date"]), 1))
    return [Rhythm.of(rows, as_of) for rows in days.values()]


def regularity(rhythms):
    pairs = Counter(rhythm.last_two for rhythm in rhythms if rhythm.last_two)
    return pairs.total(), wheat_morrison_k((*pair, customers) for pair, customers in pairs.items())


def base_of(shop, as_of):
    """The customers with an order up to a day, and their columns."""
    seen = {name: customer.rhythm(as_of) for name, customer in shop.items()}
    seen = {name: rhythm for name, rhythm in seen.items() if rhythm.orders}
    gross = [sum(cents for day, cents in shop[name].gross.items() if day <= as_of) for name in seen]
    columns = ([r.last for r in seen.values()], [len(r.days) for r in seen.values()], gross)
    return list(seen), Purchases(*(np.array(column, dtype=np.int64) for column in columns))


@pytest.mark.parametrize(
    ("name", "counts", "figures"),
    [
        ("12748", (144, 95, 370, 370), (3.8947, 3, 3.8907)),
        ("17850", (155, 22, 362, 369), (16.4545, 1.5, 24.7535)),
        ("12346", (11, 6, 196, 360), (32.6667, 13.5, 43.615)),
        ("14911", (205, 127, 373, 373), (2.9370, 2, 3.0125)),
    ],
)
def test_the_rhythm_of_four_customers_is_the_measured_one(shop, name, counts, figures):
    rhythm = shop[name].rhythm(day("2010-12-09"))
    assert (rhythm.orders, rhythm.x, rhythm.t_x, rhythm.T) == counts
    assert (rhythm.mean, rhythm.median, rhythm.sd) == pytest.approx(figures, abs=1e-4)


def test_the_intervals_of_the_first_year_are_the_measured_ones(shop):
    rhythms = [customer.rhythm(day("2010-12-09")) for customer in shop.values()]
    base = Intervals.of((interval, 1) for rhythm in rhythms for interval in rhythm.intervals)
    assert (base.n, base.median, base.p90) == (12_687, 28, 113)
    assert base.mean == pytest.approx(45.65, abs=5e-3)
    assert sum(bar.intervals for bar in base.histogram()) == 12_687


def test_the_scores_and_segments_of_the_shop_are_the_measured_ones(shop):
    as_of = day("2010-11-30")
    names, base = base_of(shop, as_of)
    ranking = Ranking.of(base, as_of)
    assert ranking.n == len(names) == 4_266
    assert ranking.r.counts == (859, 870, 853, 854, 830)
    assert ranking.f.counts == (1508, 848, 523, 592, 795)
    assert ranking.m.counts == (854, 853, 853, 853, 853)
    assert ranking.segment_counts(base) == {
        "champion": 842, "loyal": 248, "at_risk": 212, "new": 300, "regular": 1394, "dormant": 1270,
    }  # fmt: skip
    for name, scores in {"12748": (5, 5, 5), "17850": (2, 5, 5), "12347": (4, 1, 3)}.items():
        index = names.index(name)
        standing = ranking.place(*(int(column[index]) for column in (base.last, base.days, base.gross)))
        assert (standing.r, standing.f, standing.m) == scores


def test_champions_of_may_went_where_they_were_measured_in_november(shop):
    then, now = ({}, {})
    for segments, as_of in ((then, day("2010-05-31")), (now, day("2010-11-30"))):
        names, base = base_of(shop, as_of)
        codes = Ranking.of(base, as_of).segments(base)
        segments.update(zip(names, (SEGMENTS[code] for code in codes), strict=True))
    moves = Counter((segment, now[name]) for name, segment in then.items())
    assert moves.total() == 2_703
    assert {to: count for (start, to), count in moves.items() if start == "champion"} == {
        "champion": 334, "at_risk": 85, "loyal": 76, "regular": 14,
    }  # fmt: skip
    assert moves["dormant", "dormant"] == 481


def test_the_shop_is_more_regular_than_chance(shop):
    customers, k = regularity(customer.rhythm(day("2010-11-30")) for customer in shop.values())
    assert customers == 1_910
    assert k == pytest.approx(1.70, abs=5e-3)


@pytest.mark.parametrize(
    ("name", "column", "customers", "k"),
    [("cdnow_sample_1of10.csv.gz", "customer_id", 736, 1.0092), ("btydplus_grocery_elog.csv.gz", "cust", 779, 1.8703)],
)
def test_the_regularity_of_a_published_log_is_the_known_one(name, column, customers, k):
    counted, found = regularity(rhythms_of_log(name, column, day("2008-01-01")))
    assert counted == customers
    assert found == pytest.approx(k, abs=1e-4)
