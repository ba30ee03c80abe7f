"""An operations page that is left open turns red within ten seconds of something stopping, and comes back by itself."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import expect
from shop_at_work import password, sign_in

from services import demo

WITHIN = 10_000
"""Milliseconds, as an operator counts them."""
AGAIN = 30_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("watched") / "data"


@pytest.fixture(scope="module")
def server(folder):
    folder.mkdir()
    with demo.serving(folder, 0) as served:
        yield served


@pytest.fixture
def page(browser, server, folder):
    url = server[1].rstrip("/")
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    sign_in(page, url, "admin", password(folder))
    page.wait_for_url(f"{url}/contacts/")
    page.goto(f"{url}/operations/")
    expect(page.locator("#now").get_by_text("Everything is up to the last event.")).to_be_visible()
    yield page
    context.close()


def test_a_read_model_that_cannot_be_written(page, folder):
    products = folder.parent / "products.csv"
    products.write_text("code,name,category\n1,Kettle,Kitchen\n")
    command = [sys.executable, "-m", "services", "import", "products", str(products), "--format", "csv"]
    [model] = Path(folder / "read").glob("catalogue_*.db")
    with subprocess.Popen([*command, "--data", str(folder)], stdout=subprocess.DEVNULL) as importing:
        with closing(sqlite3.connect(model, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            told = page.locator(".notice-danger:visible")
            expect(told).to_contain_text("Something has stopped: catalogue", timeout=WITHIN)
            expect(page.get_by_role("row", name="catalogue").get_by_text("waiting")).to_be_visible()
        assert importing.wait(60) == 0
    expect(page.locator("#now").get_by_text("Everything is up to the last event.")).to_be_visible(timeout=AGAIN)


def test_a_process_that_stands_still_and_so_does_its_own_watch(page, server):
    said = page.get_by_text("The server has not answered for some seconds")
    expect(said).to_be_hidden()
    server[0].send_signal(signal.SIGSTOP)
    try:
        expect(said).to_be_visible(timeout=WITHIN)
    finally:
        server[0].send_signal(signal.SIGCONT)
    expect(said).to_be_hidden(timeout=AGAIN)
    expect(page.locator("#now").get_by_text("Everything is up to the last event.")).to_be_visible(timeout=AGAIN)
