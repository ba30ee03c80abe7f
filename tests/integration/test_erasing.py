"""Merging and erasing by the command line, killed on the way and run again."""

import json
import signal
from pathlib import Path

import product
import pytest

from shared.ids import imported
from shared.keyring import SqliteKeyring

NAMES = {"1": "Ana Kovač", "2": "Bo de Wit", "3": "Cy Horvat"}


@pytest.fixture
def shop(tmp_path):
    """A folder with three customers."""
    lines = [f"{number},{name},{number}@kovac.example" for number, name in NAMES.items()]
    (tmp_path / "people.csv").write_text("\n".join(["outside_id,name,email", *lines]) + "\n")
    taken = import_people(tmp_path)
    assert taken["accepted"] == 3
    return tmp_path


@pytest.fixture
def served(shop):
    """The same, while it is served."""
    with product.serving(shop / "data"):
        yield shop


def import_people(folder):
    arguments = ("import", "customers", "people.csv", "--format", "csv", "--source", "cdnow", "--data", "data")
    return product.answer(*arguments, cwd=folder)


def customers(folder, *arguments):
    return product.answer("customers", *arguments, "--data", "data", cwd=folder)


def refused(folder, *arguments):
    """What a command says that is refused, in one line."""
    done = product.run("customers", *arguments, "--data", "data", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


def subject(number):
    return f"customer-{imported('customer', 'cdnow', number)}"


def keys(folder):
    keyring = SqliteKeyring(folder / "data" / "keyring.db")
    found = {number: keyring.find(subject(number)) for number in NAMES}
    keyring.close()
    return [number for number, key in found.items() if key is not None]


def events(folder, *options):
    done = product.run("events", "show", "--json", *options, "--data", "data", cwd=folder)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def erased(folder):
    return {event["subject"] for event in events(folder, "--type", "crm.contacts.SubjectErased")}


def test_customers_are_merged_unmerged_and_erased_by_alias(served):
    assert customers(served, "merge", "cdnow:1", "cdnow:2", "--reason", "Same address").keys() >= {
        "id",
        "version",
        "position",
    }
    assert "absorbed into" in refused(served, "merge", "cdnow:1", "cdnow:3")
    assert customers(served, "unmerge", "cdnow:1")["version"] == 3
    assert "not absorbed" in refused(served, "unmerge", "cdnow:1")
    customers(served, "merge", subject("1").removeprefix("customer-"), "cdnow:2")
    assert refused(served, "merge", "cdnow:9", "cdnow:2").startswith("rapport: ABSORBED: no such customer: cdnow:9")
    assert "--yes" in refused(served, "erase", "cdnow:2")
    gone = customers(served, "erase", "cdnow:2", "--yes", "--reason", "request")
    assert [f"customer-{each['id']}" for each in gone] == [subject("2"), subject("1")]
    assert keys(served) == ["3"]
    assert "was erased" in refused(served, "erase", gone[0]["id"], "--yes")


@pytest.mark.parametrize("place", ["erasure.recorded", pytest.param("erasure.absorbed", marks=pytest.mark.long)])
def test_an_erasure_that_was_killed_is_completed_before_anything_is_served(shop, monkeypatch, place):
    customers(shop, "merge", "cdnow:1", "cdnow:2")
    with monkeypatch.context() as patched:
        patched.setitem(product.ENVIRONMENT, "RAPPORT_CRASH", f"{place}:1")
        killed = product.run("customers", "erase", "cdnow:2", "--yes", "--data", "data", cwd=shop)
    assert killed.returncode == -signal.SIGKILL
    assert "2" in keys(shop)
    assert erased(shop) == {subject("1"), subject("2")}
    assert keys(shop) == ["3"]
    assert import_people(shop)["rejected"] == 2


def test_a_key_that_came_back_with_a_backup_is_destroyed_again(shop):
    keyring = shop / "data" / "keyring.db"
    backup = keyring.read_bytes()
    customers(shop, "erase", "cdnow:1", "--yes")
    keyring.write_bytes(backup)
    assert keys(shop) == ["1", "2", "3"]
    assert erased(shop) == {subject("1")}
    assert keys(shop) == ["2", "3"]


def test_after_an_erasure_everything_is_read_as_before_and_the_log_holds(served):
    customers(served, "merge", "cdnow:1", "cdnow:2", "--reason", "Ana is Bo")
    customers(served, "erase", "cdnow:2", "--yes")
    told = events(served, "--reveal")
    assert all(NAMES["1"] not in str(event["data"]) and "Ana is Bo" not in str(event["data"]) for event in told)
    assert any(event["data"].get("name") == "[erased]" for event in told)
    assert any(event["data"].get("name") == NAMES["3"] for event in told)
    verified = product.answer("verify", "--data", "data", cwd=served)
    assert (verified["chain_ok"], verified["first_bad"]) == (True, None)
    assert {table["name"]: table["equal"] for table in verified["projections"] if not table["equal"]} == {}
    again = import_people(served)
    assert (again["rejected"], again["unchanged"]) == (2, 1)
    reasons = (served / Path(again["rejects_file"])).read_text()
    assert reasons.count("erased") == 2
