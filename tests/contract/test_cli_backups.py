"""`rapport backup`, `rapport restore` and `rapport relay replay` as people and scripts see them."""

import json
from dataclasses import replace

import pytest
from fake_rapport import FakeRapport
from starlette.responses import Response
from starlette.routing import Route

from services.commands.app import run
from shared.backups.files import Unsuitable
from shared.errors import StoreFailed

KEPT = {
    "events": 5,
    "streams": 2,
    "head": 5,
    "checksum": "6f5c",
    "ok": True,
    "first_bad": None,
    "damage": None,
    "keys": 2,
    "destroyed": 1,
    "unreadable": 3,
}
DAMAGED = KEPT | {"ok": False, "first_bad": 4, "damage": "the log is damaged at position 4"}
ID = "9d3c2f4e-1111-4222-8333-944455556666"
REPLAYED = {"replay": ID, "service": "portal", "from": 3, "to": 9, "topic": "mine", "events": 4, "anew": True}


@pytest.fixture
def asked():
    return []


@pytest.fixture
def keep(asked, tmp_path, monkeypatch, capsys):
    """Runs a command; gives its exit code and what it wrote."""
    for name in ("URL", "TOKEN", "DATA"):
        monkeypatch.delenv(f"RAPPORT_{name}", raising=False)

    def keep(*arguments, result=KEPT, error=None):
        async def keeping(given):
            asked.append(given)
            yield {"progress": {"what": "checking", "done": 5, "total": 5}}
            if error:
                raise error
            yield {"result": result}

        composition = replace(FakeRapport().composition(), backup=keeping, restore=keeping)
        code = run([*arguments, "--data", str(tmp_path)], composition)
        return code, *capsys.readouterr()

    return keep


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_the_result_is_one_document_and_progress_is_not_on_stdout(keep, asked, tmp_path, command):
    code, out, err = keep(command, "kept", "--keys", "keys", "--json", "--progress")
    assert (code, json.loads(out)) == (0, KEPT)
    assert err.startswith("checking: 5 events of 5 events, ")
    assert [(each.data, str(each.folder), str(each.keys)) for each in asked] == [(tmp_path, "kept", "keys")]


def test_people_are_told_where_the_keys_are_and_what_they_cannot_read(keep):
    assert "No keys were copied" in keep("backup", "kept")[1]
    assert "keys holds 2 keys. Keep it apart" in keep("backup", "kept", "--keys", "keys")[1]
    out = keep("restore", "kept")[1]
    assert "1 keys were destroyed again" in out
    assert "Of 3 subjects there is no key" in out


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_damage_ends_with_exit_code_1_and_the_position(keep, command):
    code, out, err = keep(command, "kept", "--json", result=DAMAGED)
    assert (code, json.loads(out)) == (1, DAMAGED)
    assert err == "rapport: the log is damaged at position 4: nothing was written\n"
    assert keep(command, "kept", result=DAMAGED)[:2] == (1, "")


@pytest.mark.parametrize(("error", "expected"), [(Unsuitable("it is not empty"), 2), (StoreFailed("no space"), 3)])
def test_what_cannot_be_done_is_one_line_and_an_exit_code(keep, error, expected):
    assert keep("backup", "kept", "--json", error=error) == (expected, "", f"rapport: {error}\n")


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_only_a_folder_is_backed_up(monkeypatch, capsys, command):
    monkeypatch.setenv("RAPPORT_URL", "https://crm.example")
    assert run([command, "kept"], FakeRapport().composition()) == 2
    assert "name the folder" in capsys.readouterr().err


def replaying(tmp_path, capsys, *lines):
    """Runs a replay against an API that answers so; gives what it was asked, the exit code, and what it wrote."""
    fake = FakeRapport()
    queries = []

    async def answer(request):
        queries.append(dict(request.query_params))
        return Response("".join(json.dumps(line) + "\n" for line in lines))

    fake.app.router.routes.insert(0, Route("/api/v1/relay/replay", answer, methods=["POST"]))
    arguments = ["--service", "portal", "--from", "3", "--to", "9", "--topic", "mine", "--kafka", "localhost:9092"]
    code = run(["relay", "replay", *arguments, "--data", str(tmp_path), "--json", "--progress"], fake.composition())
    return queries, code, *capsys.readouterr()


def test_a_replay_is_asked_for_and_told(tmp_path, capsys):
    step = {"progress": {"what": "publishing", "done": 7, "total": 7}}
    queries, code, out, err = replaying(tmp_path, capsys, step, {"result": REPLAYED})
    assert queries == [{"service": "portal", "from": "3", "to": "9", "topic": "mine", "kafka": "localhost:9092"}]
    assert (code, json.loads(out)) == (0, REPLAYED)
    assert err.startswith("publishing: 7 positions of 7 positions, ")


def test_a_replay_that_fails_says_why(tmp_path, capsys):
    failed = {"failed": "Kafka does not answer; 4 events are in mine, and running it again begins anew"}
    _, code, out, err = replaying(tmp_path, capsys, failed)
    assert (code, out, err) == (3, "", f"rapport: {failed['failed']}\n")
    _, code, out, err = replaying(tmp_path, capsys)
    assert (code, out, err) == (3, "", "rapport: the answer of the replay ended without a result\n")
