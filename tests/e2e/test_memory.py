"""A history that is ten times as long needs no more memory: neither to import nor to replay."""

import csv
import os
import random
from datetime import datetime, timedelta

import product
import pytest

ALLOWED = 1.3
HEADER = ("invoice", "stock_code", "description", "quantity", "invoice_date", "price", "customer_id", "country")


def history(file, orders):
    """Orders of the same 150 customers and 60 products, eight lines each, an hour apart."""
    rng = random.Random(orders)
    moment = datetime.fromisoformat("2009-01-01T00:00:00")
    with file.open("w", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(HEADER)
        for number in range(orders):
            moment += timedelta(hours=1)
            customer = 10_000 + rng.randrange(150)
            for _ in range(8):
                code = 20_000 + rng.randrange(60)
                price = f"{rng.randrange(1, 2000) / 100:.2f}"
                writer.writerow(
                    (
                        500_000 + number,
                        code,
                        f"PRODUCT {code}",
                        rng.randint(1, 24),
                        moment.isoformat(),
                        price,
                        customer,
                        "UK",
                    )
                )
    return file


def peak(*arguments, cwd):
    """Megabytes that one command had in memory at the most."""
    process = product.start(*arguments, "--json", cwd=cwd)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, output + process.stderr.read()
    return usage.ru_maxrss / 1024


def peaks(folder, orders):
    folder.mkdir()
    file = history(folder / "orders.csv", orders)
    importing = peak("import", "orders", file, "--format", "online-retail", "--data", folder / "data", cwd=folder)
    replaying = peak("verify", "--data", folder / "data", cwd=folder)
    return importing, replaying


def compare(tmp_path, orders):
    short, long = peaks(tmp_path / "short", orders), peaks(tmp_path / "long", 10 * orders)
    print(f"{orders} orders: import {short[0]:.0f} MB, replay {short[1]:.0f} MB")
    print(f"{10 * orders} orders: import {long[0]:.0f} MB, replay {long[1]:.0f} MB")
    assert long[0] <= ALLOWED * short[0]
    assert long[1] <= ALLOWED * short[1]


@pytest.mark.long
def test_memory_does_not_grow_with_a_short_history(tmp_path):
    compare(tmp_path, 400)


@pytest.mark.long
def test_memory_does_not_grow_with_a_long_history(tmp_path):
    compare(tmp_path, 4_000)
