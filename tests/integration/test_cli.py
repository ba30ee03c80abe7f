"""The command line over the real services: in one process, over the socket, killed and run again."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import product
import pytest

ROOT = Path(__file__).parents[2]
RAPPORT = [sys.executable, "-c", "import sys; from services.cli import main; main(sys.argv[1:])"]
HEADER = "invoice,stock_code,description,quantity,invoice_date,price,customer_id,country"


def started(folder, *arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAPPORT_")}
    environment["PYTHONPATH"] = str(ROOT)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*RAPPORT, *map(str, arguments)], cwd=folder, env=environment, **pipes)


def rapport(folder, *arguments, code=0):
    process = started(folder, *arguments)
    out, err = process.communicate(timeout=100)
    assert process.returncode == code, err
    return json.loads(out) if out else err


@pytest.fixture
def history(tmp_path):
    """200 orders of 40 customers with two lines each, 20 credit notes, and 10 rows without customer."""
    lines = [HEADER]
    for number in range(200):
        at = f"2010-{1 + number % 12:02}-{1 + number % 28:02}T10:00:00"
        lines += [f"{number},{code},LAMP,2,{at},1.50,{number % 40},France" for code in ("A", "B")]
        if number % 10 == 0:
            lines.append(f"C{number},A,LAMP,-1,{at},1.50,{number % 40},France")
        if number % 20 == 0:
            lines.append(f"{number},C,LAMP,1,{at},1.50,,France")
    path = tmp_path / "history.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def check_content(folder):
    """All of the history is there once, and every projection equals a fresh fold of it."""
    found = rapport(folder, "analytics", "base", "--as-of", "2010-12-31", "--data", "data", "--json")
    assert (found["lines"], found["orders"], found["customers"], found["credit_notes"]) == (400, 200, 40, 20)
    assert (found["currency"], found["gross_minor"], found["credit_minor"]) == ("GBP", 120_000, -3_000)
    verified = rapport(folder, "verify", "--data", "data", "--json")
    assert (verified["ok"], verified["events"]) == (True, 260)


def test_an_import_is_exact_and_the_second_time_changes_nothing(tmp_path, history):
    arguments = ("import", "orders", history, "--format", "online-retail", "--data", "data", "--json")
    counts = []
    for _ in range(2):
        done = rapport(tmp_path, *arguments)
        counts.append([done[name] for name in ("rows", "accepted", "rejected", "unchanged", "events")])
    assert counts == [[430, 420, 10, 0, 260], [430, 0, 10, 420, 0]]
    check_content(tmp_path)


@pytest.mark.parametrize("phase", ["reading", "customers"])
def test_an_import_that_was_killed_is_finished_by_running_it_again(tmp_path, history, phase):
    arguments = ("import", "orders", history, "--format", "online-retail", "--data", "data", "--json")
    killed = started(tmp_path, *arguments, "--progress")
    next(line for line in killed.stderr if line.startswith(f"{phase}: "))
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    done = rapport(tmp_path, *arguments)
    assert (done["rows"], done["accepted"] + done["unchanged"], done["rejected"]) == (430, 420, 10)
    check_content(tmp_path)


def test_an_instance_that_runs_is_used_and_a_held_folder_is_refused(tmp_path, history):
    up = started(tmp_path, "up", "--port", "0", "--data", "data")
    assert up.stdout.readline().startswith("http://127.0.0.1:")
    rapport(tmp_path, "import", "orders", history, "--format", "online-retail", "--data", "data", "--json")
    status = rapport(tmp_path, "projections", "status", "--data", "data", "--json")
    assert {(family["head"], family["lag_events"]) for family in status} == {(260, 0)}
    tail = started(tmp_path, "events", "tail", "--data", "data", "--json")
    assert json.loads(tail.stdout.readline())["position"] == 251
    (tmp_path / "data" / "rapport.sock").unlink()
    assert "is written by another process" in rapport(tmp_path, "verify", "--data", "data", "--json", code=3)
    for process in (tail, up):
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode == 0


NOWHERE = {
    "RAPPORT_STORE": "esdb://127.0.0.1:1?Tls=false",
    "RAPPORT_KAFKA": "127.0.0.1:1",
    "RAPPORT_DATABASE": "postgresql://127.0.0.1:1/none",
    "RAPPORT_KEYRING": "postgresql://127.0.0.1:1/none",
}


@pytest.mark.parametrize(
    ("service", "environment", "code", "said"),
    [
        ("contacts", {}, 2, "needs RAPPORT_STORE, RAPPORT_KAFKA, RAPPORT_DATABASE, RAPPORT_KEYRING"),
        ("kontakts", NOWHERE, 2, "SERVICE: 'kontakts' is none of contacts, interactions, portal, analytics"),
        ("contacts", NOWHERE | {"RAPPORT_STORE": "http://127.0.0.1"}, 2, "RAPPORT_STORE"),
        ("contacts", NOWHERE, 3, "PostgreSQL does not answer"),
    ],
)
def test_a_service_that_cannot_be_served_says_why_in_one_line(tmp_path, monkeypatch, service, environment, code, said):
    monkeypatch.setattr(product, "ENVIRONMENT", product.ENVIRONMENT | environment)
    done = product.run("serve", service, cwd=tmp_path, timeout=60)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
