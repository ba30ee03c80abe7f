"""An installation with real purchases in it, and what it should show of them, counted from the files themselves."""

import csv
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from services import demo

RETAIL, CDNOW = demo.HISTORIES
CUSTOMERS = {RETAIL.source: 60, CDNOW.source: 40}
"""How many customers of each history come in: more than a page of the list, soon imported."""


@dataclass(frozen=True)
class Shop:
    """A running installation; `people` are its customers by outside id, `days` the purchase days of the retailer's."""

    url: str
    password: str
    people: dict[str, dict[str, str]]
    days: dict[str, set[str]]

    @property
    def best(self) -> str:
        """The outside id of the retailer's customer with most purchase days."""
        return max(self.days, key=lambda outside_id: len(self.days[outside_id]))

    def card(self, outside_id: str) -> str:
        """The address of a card."""
        return f"/contacts/{RETAIL.source}:{outside_id}"


def password(data: Path) -> str:
    """The password that the first run in a folder has shown."""
    return (data / "sign-in.txt").read_text().split("password ")[1].split()[0]


@contextmanager
def shop_at_work(data: Path) -> Iterator[Shop]:
    """Fill a folder as `make demo` does, with the customers that each history names first, and serve it."""
    histories = [cut(history, data.parent, CUSTOMERS[history.source]) for history in demo.HISTORIES]
    data.mkdir()
    with demo.serving(data, 0) as (_, url):
        people = {}
        for history in histories:
            demo.fill(data, history)
            named = data / f"{history.source}-invented-names.csv"
            people |= {row["outside_id"]: row for row in csv.DictReader(named.read_text().splitlines())}
        secret = password(data)
        yield Shop(url.rstrip("/"), secret, people, purchase_days(histories[0]))


@contextmanager
def quiet_shop(data: Path, customers: int) -> Iterator[Shop]:
    """The same with so few of the retailer's customers, or with none at all."""
    history = cut(RETAIL, data.parent, customers)
    data.mkdir()
    with demo.serving(data, 0) as (_, url):
        if customers:
            demo.fill(data, history)
        secret = password(data)
        yield Shop(url.rstrip("/"), secret, {}, purchase_days(history))


def cut(history: demo.History, folder: Path, customers: int) -> demo.History:
    """The same history, of fewer customers."""
    rows = read(history.file)
    first = dict.fromkeys(row[history.customer] for row in rows if row[history.customer])
    chosen = set(list(first)[:customers])
    file = folder / history.file.name
    with gzip.open(file, "wt", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, rows[0])
        writer.writeheader()
        writer.writerows(row for row in rows if row[history.customer] in chosen)
    return replace(history, file=file)


def purchase_days(history: demo.History) -> dict[str, set[str]]:
    """On which days each customer bought; an invoice that begins with C takes something back."""
    days: dict[str, set[str]] = {}
    for row in read(history.file):
        if not row["invoice"].startswith("C"):
            days.setdefault(row[history.customer], set()).add(row["invoice_date"][:10])
    return days


def read(file: Path) -> list[dict[str, Any]]:
    with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def sign_in(page: Page, url: str, name: str, password: str) -> None:
    """Sign in; a wrong password leaves the page at the form."""
    page.goto(f"{url}/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def settled(page: Page) -> None:
    """Wait until the parts that are fetched after the page have come and the plots are drawn."""
    page.wait_for_load_state()
    expect(page.locator("[hx-trigger=load], .skeleton, [data-plot]:not(.plot-drawn)")).to_have_count(0, timeout=30_000)
