"""`rapport backup` beside an instance that serves and imports, and `rapport restore` of what it made."""

import json
import signal

import product
import pytest

CUSTOMERS = 600


@pytest.fixture
def people(tmp_path):
    """Customers to import: each is three events."""
    lines = [f"{number},Zoë {number},z{number}@kovac.example,+31201{number:06}" for number in range(CUSTOMERS)]
    (tmp_path / "people.csv").write_text("\n".join(["outside_id,name,email,phone", *lines]) + "\n")
    return "people.csv"


@pytest.mark.long
def test_a_backup_of_an_instance_at_work_is_one_moment_of_it(tmp_path, people):
    arguments = ("import", "customers", people, "--format", "csv", "--source", "shop", "--data", "data", "--json")
    with product.serving(tmp_path / "data"):
        product.answer("staff", "add", "ada", "--role", "analyst", "--data", "data", cwd=tmp_path)
        importing = product.start(*arguments, cwd=tmp_path)
        kept = product.answer("backup", "kept", "--keys", "keys", "--data", "data", cwd=tmp_path)
        out, err = importing.communicate()
        assert importing.returncode == 0, err
        total = json.loads(out)["events"]
    assert kept["head"] <= total
    given = ("kept", "--keys", "keys", "--data", "again")
    restored = product.answer("restore", *given, cwd=tmp_path)
    assert (restored["ok"], restored["head"], restored["unreadable"]) == (True, kept["head"], 0)
    assert restored["checksum"] == kept["checksum"]
    with product.serving(tmp_path / "again"):
        proof = product.answer("verify", "--data", "again", cwd=tmp_path)
        assert (proof["ok"], proof["streams_ok"], proof["head"]) == (True, True, kept["head"])
        added = product.run("staff", "add", "ada", "--role", "analyst", "--data", "again", cwd=tmp_path)
        assert (added.returncode, "exists already" in added.stderr) == (2, True)
        # what the backup missed is imported behind it, and nothing that it has is imported again
        done = product.answer(*arguments[:-3], "--data", "again", cwd=tmp_path)
        assert (done["rejected"], done["events"]) == (0, total - kept["head"])
    refused = product.run("restore", *given, cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "not empty" in refused.stderr


def test_a_backup_that_was_killed_is_not_there_and_the_next_one_is_whole(tmp_path, people, monkeypatch):
    product.answer("import", "customers", people, "--format", "csv", "--source", "shop", "--data", "data", cwd=tmp_path)
    with monkeypatch.context() as patched:
        patched.setitem(product.ENVIRONMENT, "RAPPORT_CRASH", "backup.written:1")
        killed = product.run("backup", "kept", "--keys", "keys", "--data", "data", cwd=tmp_path)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "kept").exists()
    assert not (tmp_path / "keys").exists()
    assert product.run("restore", "kept", "--data", "again", cwd=tmp_path).returncode == 2
    assert product.answer("backup", "kept", "--keys", "keys", "--data", "data", cwd=tmp_path)["ok"]
    content = bytearray((tmp_path / "kept" / "events.db").read_bytes())
    content[content.index(b"enc.v1.") + 20] ^= 1
    (tmp_path / "kept" / "events.db").write_bytes(content)
    damaged = product.run("restore", "kept", "--keys", "keys", "--data", "again", "--json", cwd=tmp_path)
    assert damaged.returncode == 1
    told = json.loads(damaged.stdout)
    assert not told["ok"]
    assert f"damaged at position {told['first_bad']}" in damaged.stderr
    assert not (tmp_path / "again").exists()
