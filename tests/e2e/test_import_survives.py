"""An import that is killed at any moment and started again ends as one that never was."""

import random
import signal
import subprocess
import time

import pytest
from product import PURCHASES, answer, fewer, run, serving, start

FILE = PURCHASES / "online_retail_cut.csv.gz"
CUT = ("import", "orders", FILE, "--format", "online-retail")


def state(data, as_of, cwd):
    with serving(data):
        base = answer("analytics", "base", "--as-of", as_of, "--data", data, cwd=cwd)
        rfm = answer("analytics", "rfm", "--as-of", as_of, "--data", data, cwd=cwd)
        proof = answer("verify", "--data", data, cwd=cwd)
    assert proof["ok"], proof
    return base, rfm, proof["events"], {entry["name"]: entry["rows"] for entry in proof["projections"]}


def killed_import(command, data, kills, seconds, cwd, seed):
    """Kill the import `kills` times at moments spread over the time it needs, then let it finish."""
    rng = random.Random(seed)
    print(f"seed {seed}")
    for _ in range(kills):
        process = start(*command, "--data", data, "--json", cwd=cwd)
        try:
            process.wait(timeout=rng.uniform(0.5, seconds))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
    return answer(*command, "--data", data, cwd=cwd)


@pytest.mark.parametrize(
    ("customers", "kills"), [(50, 2), pytest.param(10_000, 3, marks=pytest.mark.long)], ids=["some", "the whole cut"]
)
def test_a_killed_import_of_the_cut_ends_in_the_same_state(tmp_path, customers, kills):
    command = ("import", "orders", fewer(FILE, tmp_path, customers), "--format", "online-retail")
    started = time.monotonic()
    whole = answer(*command, "--data", tmp_path / "whole", cwd=tmp_path)
    seconds = time.monotonic() - started
    assert whole["rows"] == whole["accepted"] + whole["rejected"]
    last = killed_import(command, tmp_path / "killed", kills, seconds, tmp_path, seed=20101209)
    assert last["accepted"] + last["unchanged"] == whole["accepted"]
    assert state(tmp_path / "killed", "2010-12-09", tmp_path) == state(tmp_path / "whole", "2010-12-09", tmp_path)


@pytest.mark.long
def test_the_same_file_twice_changes_nothing(tmp_path):
    first = answer(*CUT, "--data", tmp_path / "d", cwd=tmp_path)
    again = answer(*CUT, "--data", tmp_path / "d", cwd=tmp_path)
    assert (again["events"], again["accepted"]) == (0, 0)
    assert (again["unchanged"], again["rejected"]) == (first["accepted"], first["rejected"])


def test_a_wrong_header_is_refused_before_the_first_row(tmp_path):
    file = tmp_path / "wrong.csv"
    file.write_text("invoice,quantity,price\n1,2,3\n")
    done = run("import", "orders", file, "--format", "online-retail", "--data", tmp_path / "d", cwd=tmp_path)
    assert done.returncode == 2
    assert "customer_id" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.long
@pytest.mark.data
def test_killed_ten_times_the_first_year_ends_in_the_same_state(tmp_path, dataset):
    year = ("import", "orders", dataset("online_retail_2009_2010.csv.gz"), "--format", "online-retail")
    started = time.monotonic()
    whole = answer(*year, "--data", tmp_path / "whole", cwd=tmp_path)
    seconds = time.monotonic() - started
    killed_import(year, tmp_path / "killed", 10, seconds * 0.9, tmp_path, seed=12748)
    assert whole["rejected"] == 107_958
    assert state(tmp_path / "killed", "2010-12-09", tmp_path) == state(tmp_path / "whole", "2010-12-09", tmp_path)
