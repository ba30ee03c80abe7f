import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_rapport import ANALYTICS, FakeRapport

from services.commands.app import run


@pytest.fixture
def rapport(tmp_path, monkeypatch):
    for name in ("RAPPORT_URL", "RAPPORT_TOKEN", "RAPPORT_KAFKA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAPPORT_DATA", str(tmp_path))
    return FakeRapport()


@pytest.fixture
def rapport_run(rapport, capsys):
    def run_it(*arguments):
        code = run(list(arguments), rapport.composition())
        return code, *capsys.readouterr()

    return run_it


def test_show_prints_one_event_a_line(rapport_run, rapport):
    rapport.position = 3
    code, out, err = rapport_run("events", "show", "--json", "--after", "1", "--type", "crm.portal.OrderPlaced")
    assert (code, err) == (0, "")
    assert [json.loads(line)["position"] for line in out.splitlines()] == [2, 3]
    assert rapport.requests[0][2] == {"after": "1", "type": "crm.portal.OrderPlaced"}


def test_revealing_is_asked_for_only_when_wanted(rapport_run, rapport):
    rapport_run("events", "show", "--subject", "customer-1", "--limit", "5", "--reveal")
    assert rapport.requests[0][2] == {"subject": "customer-1", "limit": "5", "reveal": "true"}


def test_people_see_events_as_text(rapport_run, rapport):
    rapport.position = 1
    _, out, _ = rapport_run("events", "show")
    assert "crm.portal.OrderPlaced  customer-1" in out


def test_tail_begins_before_the_end_and_never_ends_until_its_reader_goes(tmp_path):
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from fake_rapport import FakeRapport\n"
        "from services.commands.app import run; fake = FakeRapport(); fake.position = 100\n"
        "sys.exit(run(['events', 'tail', '--last', '2', '--json', '--data', sys.argv[2]], fake.composition()))\n"
    )
    command = [sys.executable, "-c", program, Path(__file__).parent, tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        positions = [json.loads(process.stdout.readline())["position"] for _ in range(5)]
        process.stdout.close()
        assert process.wait() == 0
        assert process.stderr.read() == b""
    assert positions == [99, 100, 101, 102, 103]


def test_the_state_of_projections_is_passed_on_as_it_is(rapport_run, rapport):
    rapport.position, rapport.lag = 7, 2
    code, out, _ = rapport_run("projections", "status", "--json")
    [family] = json.loads(out)
    assert code == 0
    assert (family["family"], family["position"], family["head"], family["lag_events"]) == ("loyalty", 5, 7, 2)
    assert "loyalty" in rapport_run("projections", "status")[1]


def test_verify_prints_its_result_and_keeps_progress_off_stdout(rapport_run):
    code, out, err = rapport_run("verify", "--json", "--progress")
    assert code == 0
    assert json.loads(out)["ok"] is True
    assert err.startswith("chain: 2 of 2, ")
    assert "Everything is as it should be." in rapport_run("verify")[1]


def test_verify_says_what_was_skipped_and_what_still_waits(rapport_run, rapport):
    table = {"name": "days", "family": "loyalty", "position": 9, "applied": 2, "parked": 0, "rows": 1, "equal": True}
    rapport.verified = rapport.verified | {"projections": [table | {"skipped": ["3", "6"]}]}
    assert "loyalty was folded without 3, 6: skipped by hand." in rapport_run("verify")[1]
    rapport.verified = rapport.verified | {"ok": False, "projections": [table | {"equal": False, "parked": 4}]}
    assert rapport_run("verify")[2] == "rapport: projection days differs from a fresh fold (4 parked)\n"


def test_verify_ends_with_exit_code_1_and_says_what_differs(rapport_run, rapport):
    table = {"name": "days", "family": "loyalty", "position": 2, "applied": 2, "parked": 0, "rows": 1, "equal": False}
    rapport.verified = {"ok": False, "chain_ok": False, "first_bad": 17, "projections": [table]}
    code, out, err = rapport_run("verify", "--json")
    assert code == 1
    assert json.loads(out)["first_bad"] == 17
    assert err == ("rapport: the hash chain breaks at position 17; projection days differs from a fresh fold\n")


@pytest.mark.parametrize(("command", "path"), [("staff", "/api/v1/staff"), ("token", "/api/v1/tokens")])
def test_who_is_let_in_gets_a_secret_once(rapport_run, rapport, command, path):
    code, out, _ = rapport_run(command, "add", "ada", "--role", "analyst", "--json")
    assert (code, json.loads(out)) == (0, {"name": "ada", "role": "analyst", "secret": "s3cret"})
    assert rapport.requests[0][1::2] == (path, {"name": "ada", "role": "analyst"})
    assert "s3cret" in rapport_run(command, "add", "ada", "--role", "analyst")[1]


def test_a_role_that_does_not_exist_is_refused_with_those_that_do(rapport_run, rapport):
    code, out, err = rapport_run("token", "add", "ada", "--role", "king")
    assert (code, out) == (2, "")
    assert err.startswith("rapport: Invalid value for '--role': 'king' is not one of 'specialist', 'analyst'")
    assert rapport.requests == []


@pytest.mark.parametrize(
    ("arguments", "path", "answer", "shown"),
    [
        (["base"], "/base", "base", "8,832,003.26 GBP"),
        (["customer", "cdnow:1516"], "/customers/cdnow:1516", "customers", "champion"),
        (["rfm"], "/rfm", "rfm", "66.7%"),
        (["intervals"], "/intervals", "intervals", "45.65"),
    ],
)
def test_figures_are_asked_for_a_day_a_source_and_a_currency(rapport_run, rapport, arguments, path, answer, shown):
    wishes = ["--as-of", "2010-12-09", "--source", "online-retail", "--currency", "GBP"]
    code, out, err = rapport_run("analytics", *arguments, *wishes, "--json")
    assert (code, json.loads(out), err) == (0, ANALYTICS[answer], "")
    [(method, asked, query, _)] = rapport.requests
    assert (method, asked) == ("GET", f"/analytics/api/v1{path}")
    assert query == {"as_of": "2010-12-09", "source": "online-retail", "currency": "GBP"}
    code, out, _ = rapport_run("analytics", *arguments)
    assert code == 0
    assert shown in out


def test_intervals_can_be_those_of_one_product(rapport_run, rapport):
    rapport_run("analytics", "intervals", "--product", "85123A")
    assert rapport.requests[0][2] == {"product": "85123A"}


@pytest.mark.parametrize("day", ["2010-13-01", "2010-02-30", "20101209", "yesterday", "2010-1-1"])
def test_a_day_that_is_none_is_refused(rapport_run, rapport, day):
    code, out, err = rapport_run("analytics", "base", "--as-of", day, "--json")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"rapport: Invalid value for '--as-of': '{day}' is not a day")
    assert rapport.requests == []


def test_several_currencies_and_none_chosen_is_bad_input(rapport_run, rapport):
    rapport.problem = (422, {"errors": [{"field": "currency", "message": "choose one of GBP, USD"}]})
    assert rapport_run("analytics", "base", "--json") == (2, "", "rapport: currency: choose one of GBP, USD\n")


def test_up_serves_the_folder_on_the_port(rapport_run, rapport, tmp_path):
    assert rapport_run("up", "--port", "8123", "--kafka", "localhost:9092")[0] == 0
    assert (rapport.served.data, rapport.served.port, rapport.served.kafka) == (tmp_path, 8123, "localhost:9092")
    assert rapport_run("up", "--kafka", "localhost")[0] == 2


def test_topics_are_created_where_it_says(rapport_run):
    code, out, _ = rapport_run("topics", "create", "--kafka", "localhost:9092", "--json")
    assert (code, json.loads(out)) == (0, ["crm.contacts.v1", "localhost:9092"])


def test_the_databases_are_upgraded_and_a_first_password_is_shown_once(rapport_run, rapport):
    where = ("--database", "postgresql://a@db/rapport", "--keyring", "postgresql://b@keys/keyring")
    told = "first run: sign in as admin with the password s3cret (shown this once)"
    assert told in rapport_run("database", "upgrade", *where)[1]
    assert "password" not in rapport_run("database", "upgrade", *where)[1]
    assert rapport.upgraded == [(where[1], where[3])] * 2


@pytest.mark.parametrize(
    ("already", "administrator"), [([], {"name": "admin", "password": "s3cret"}), ([("a", "b")], None)]
)
def test_an_upgrade_says_in_json_whether_it_made_an_administrator(
    rapport_run, rapport, monkeypatch, already, administrator
):
    rapport.upgraded = already
    monkeypatch.setenv("RAPPORT_DATABASE", "postgresql://a@db/rapport")
    monkeypatch.setenv("RAPPORT_KEYRING", "postgresql://b@keys/keyring")
    code, out, _ = rapport_run("database", "upgrade", "--json")
    assert (code, json.loads(out)) == (0, {"upgraded": True, "administrator": administrator})


def test_an_address_that_is_none_is_refused_without_repeating_its_password(rapport_run, rapport):
    code, out, err = rapport_run(
        "database", "upgrade", "--database", "mysql://a:pass@db/x", "--keyring", "postgresql:///k"
    )
    assert (code, out, rapport.upgraded) == (2, "", [])
    assert "--database" in err
    assert "postgresql://" in err
    assert "pass@" not in err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["import"],
        ["import", "orders"],
        ["import", "customers"],
        ["events"],
        ["events", "show"],
        ["events", "tail"],
        ["projections", "status"],
        ["verify"],
        ["staff", "add"],
        ["token", "add"],
        ["topics", "create"],
        ["database", "upgrade"],
        ["migrate"],
        ["up"],
        *(["analytics", name] for name in ("base", "customer", "rfm", "intervals")),
    ],
)
def test_every_command_explains_itself(rapport_run, words):
    code, out, err = rapport_run(*words, "--help")
    assert (code, err) == (0, "")
    assert "Usage:" in out


def test_the_console_script_ends_with_the_exit_code(tmp_path):
    program = "from services.cli import main; main(['verify', '--data', 'nowhere'])"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, check=False, capture_output=True
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"rapport: --data: there is no folder nowhere")


def test_a_command_that_talks_to_an_instance_starts_without_the_services():
    program = (
        "import sys, services.cli; print([name for name in ('fastapi', 'sqlalchemy', 'numpy') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
