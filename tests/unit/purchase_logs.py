"""Purchases of a customer by day, as the models want them: read from a log, or drawn from a known model."""

import csv
import gzip
import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np

from services.analytics.buying import Counts
from services.analytics.spending import Baskets


def day(text):
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


@dataclass
class Log:
    customers: dict[str, Counter]  # day: amount

    @classmethod
    def read(cls, path, customer, amount=None):
        customers = defaultdict(Counter)
        with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                customers[row[customer]][day(row["date"])] += float(row[amount]) if amount else 0
        return cls(dict(customers))

    def days(self, until):
        """The purchase days of each customer up to a day, ascending."""
        return [sorted(day for day in bought if day <= until) for bought in self.customers.values()]

    def columns(self, until):
        days = self.days(until)
        return (
            [len(some) - 1 for some in days],
            [some[-1] - some[0] for some in days],
            [until - some[0] for some in days],
        )

    def each(self, until):
        return Counts.each(*self.columns(until))

    def grouped(self, until, unit=7):
        logs = math.fsum(math.log(later - before) for some in self.days(until) for before, later in pairwise(some))
        return Counts.grouped(*self.columns(until), log_intervals=logs, unit=unit)

    def later(self, after, until):
        """How many purchase days each customer has after a day, up to another, and what was spent on them."""
        spans = [[day for day in bought if after < day <= until] for bought in self.customers.values()]
        spend = [sum(bought[day] for day in days) for bought, days in zip(self.customers.values(), spans, strict=True)]
        return np.array([len(days) for days in spans], dtype=float), np.array(spend)

    def baskets(self, until):
        repeats = [days[1:] for days in self.days(until)]
        spend = [
            sum(bought[day] for day in days) for bought, days in zip(self.customers.values(), repeats, strict=True)
        ]
        return Baskets.of([len(days) for days in repeats], spend)


def simulated(n, r=0.8, alpha=60.0, a=0.9, b=2.5, m=1, seed=1):
    """Columns x, t_x, T in whole days of customers who buy at random; a = 0 is nobody who ever drops out."""
    draw = np.random.default_rng(seed)
    rate = draw.gamma(r, 1 / alpha, n)
    drop = draw.beta(a, b, n) if a else np.zeros(n)
    age = draw.integers(30, 730, n)
    x, t_x, clock = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64), np.zeros(n)
    there = np.flatnonzero(draw.random(n) >= drop) if m else np.arange(n)
    while len(there):
        clock[there] += draw.exponential(1 / rate[there])
        there = there[clock[there] < age[there]]
        days = np.ceil(clock[there]).astype(np.int64)
        x[there] += days > t_x[there]
        t_x[there] = days
        there = there[draw.random(len(there)) >= drop[there]]
    return x, t_x, age
