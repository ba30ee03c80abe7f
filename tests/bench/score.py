"""Ours: a million customers of one base, from columns in memory to a fitted model and to everybody's scores.

The clock runs while everybody is scored: P(active in 90 days) and the discounted purchases of a year of weeks. Fitting,
from nothing and from the model of the day before, is timed beside it. The garbage collector is on.
"""

import argparse
import json

import numpy as np
import timing

from services.analytics.buying import WEEK, Counts
from services.analytics.buying_fit import fit
from services.analytics.value import Terms, discounted_purchases

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--customers", type=int, default=1_000_000)
parser.add_argument("--folder", help="not used: everything is in memory")


def base(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw x, t_x and T in days of customers of a known MBG/NBD, over two years."""
    draw = np.random.default_rng(4)
    rate, drop, age = draw.gamma(0.8, 1 / 60, n), draw.beta(0.9, 2.5, n), draw.integers(30, 730, n)
    x, t_x, clock = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64), np.zeros(n)
    there = np.flatnonzero(draw.random(n) >= drop)
    while len(there):
        clock[there] += draw.exponential(1 / rate[there])
        there = there[clock[there] < age[there]]
        days = np.ceil(clock[there]).astype(np.int64)
        x[there] += days > t_x[there]
        t_x[there] = days
        there = there[draw.random(len(there)) >= drop[there]]
    return x, t_x, age


if __name__ == "__main__":
    asked = parser.parse_args()
    columns = base(asked.customers)
    with timing.Timed() as fitting:
        fitted = fit(Counts.grouped(*columns))
    with timing.Timed() as refitting:
        fit(Counts.grouped(*columns), before=fitted.model)
    with timing.Timed() as timed:
        each = Counts.each(*columns)
        active = fitted.model.active(each, 90 / WEEK)
        purchases = discounted_purchases(fitted.model, each, Terms())
    result = timed.result(asked.customers)
    result["fit_seconds"], result["warm_fit_seconds"] = round(fitting.seconds, 4), round(refitting.seconds, 4)
    result["checksum"] = [round(float(active.sum())), round(float(purchases.sum()))]
    print(json.dumps(result))
