"""`rapport migrate` as people and scripts see it, over a move that is told what to say."""

import json
from dataclasses import replace

import pytest
from fake_rapport import FakeRapport

from services.commands.app import run
from services.commands.composition import Moving
from shared.errors import CannotMove, Unreachable

STORE = "esdb://127.0.0.1:2113?Tls=false"
MOVED = {
    "events": 5,
    "streams": 2,
    "head": 812,
    "checksum": "6f5c",
    "ok": True,
    "difference": None,
    "copied": 3,
    "keys": 2,
    "accounts": 4,
    "kept": ["admin"],
    "relays": {"contacts": 777},
    "read_models": [],
    "left": ["the keys"],
}


@pytest.fixture
def asked() -> list[Moving]:
    return []


@pytest.fixture
def migrate(asked, tmp_path, monkeypatch, capsys):
    """Runs the command; gives its exit code and what it wrote."""
    for name in ("URL", "TOKEN", "KAFKA", "DATABASE", "KEYRING", "DATA"):
        monkeypatch.delenv(f"RAPPORT_{name}", raising=False)

    def migrate(*arguments, result=MOVED, error=None):
        async def moving(given):
            asked.append(given)
            yield {"progress": {"what": "copying", "done": 0, "total": 5}}
            yield {"progress": {"what": "copying", "done": 5, "total": 5}}
            if error:
                raise error
            yield {"result": result}

        composition = replace(FakeRapport().composition(), migrate=moving)
        code = run(["migrate", "--to", STORE, "--data", str(tmp_path), *arguments], composition)
        return code, *capsys.readouterr()

    return migrate


def test_scripts_get_one_document_and_progress_stays_off_stdout(migrate, asked, tmp_path):
    code, out, err = migrate("--json", "--progress")
    assert (code, json.loads(out)) == (0, MOVED)
    assert err.startswith("copying: 5 events of 5 events, ")
    assert asked == [Moving(tmp_path, STORE, None, None, None)]


def test_people_are_told_what_is_left_to_do(migrate):
    code, out, err = migrate()
    assert (code, err) == (0, "")
    assert "The relay of contacts goes on behind position 777." in out
    assert "Kept as they were there, with their own passwords or secrets: admin." in out
    assert "Not moved, and needed before a service starts: the keys." in out
    assert "Read models were not built" in out


def test_the_other_servers_come_from_options_or_the_environment(migrate, asked, tmp_path, monkeypatch):
    monkeypatch.setenv("RAPPORT_KAFKA", "kafka:9092")
    monkeypatch.setenv("RAPPORT_DATABASE", "postgresql://a@db/rapport")
    migrate("--keyring", "postgresql://b@keys/keyring")
    servers = ("kafka:9092", "postgresql://a@db/rapport", "postgresql://b@keys/keyring")
    assert asked == [Moving(tmp_path, STORE, *servers)]


def test_a_difference_ends_with_exit_code_1_and_is_named(migrate):
    differing = MOVED | {"ok": False, "difference": "data differ: …"}
    code, out, err = migrate("--json", result=differing)
    assert (code, json.loads(out)) == (1, differing)
    assert err == "rapport: the event store differs from the folder: data differ: …\n"
    code, out, _ = migrate(result=differing)
    assert (code, "byte for byte" in out) == (1, False)


@pytest.mark.parametrize(("error", "expected"), [(CannotMove("it is in use"), 2), (Unreachable("it is away"), 3)])
def test_what_cannot_be_done_is_one_line_and_an_exit_code(migrate, error, expected):
    assert migrate("--json", error=error) == (expected, "", f"rapport: {error}\n")


def test_only_a_folder_can_be_moved(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RAPPORT_URL", "https://crm.example")
    assert run(["migrate", "--to", STORE], FakeRapport().composition()) == 2
    assert "name the folder" in capsys.readouterr().err
    assert run(["migrate", "--to", STORE, "--data", str(tmp_path / "no")], FakeRapport().composition()) == 2
    assert "there is no folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--to", "https://user:secret@127.0.0.1"],
        ["--to", STORE, "--database", "mysql://user:secret@127.0.0.1/x"],
        ["--to", STORE, "--keyring", "user:secret@127.0.0.1"],
    ],
)
def test_an_address_that_is_none_is_refused_without_its_password(arguments, tmp_path, capsys):
    assert run(["migrate", "--data", str(tmp_path), *arguments], FakeRapport().composition()) == 2
    out, err = capsys.readouterr()
    assert (out, arguments[-2] in err, "secret" in err) == ("", True, False)
