import json
import socket
import threading
from contextlib import asynccontextmanager, contextmanager

import pytest
import uvicorn
from fake_rapport import FakeRapport

from services.commands.app import run
from services.commands.composition import Composition
from shared.errors import StoreInUse


@pytest.fixture(autouse=True)
def plain_environment(tmp_path, monkeypatch):
    for name in ("RAPPORT_URL", "RAPPORT_TOKEN", "RAPPORT_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@contextmanager
def served(app, *, bound):
    """The app on a socket that is bound already, until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def refusing(reason):
    @asynccontextmanager
    async def open_app(data):
        raise StoreInUse(reason)
        yield data

    return Composition(open_app, *[None] * 7)


def unix_socket(path):
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(str(path))
    bound.listen()
    return bound


def test_an_instance_that_runs_in_the_folder_is_asked_over_its_socket(tmp_path, capsys):
    rapport = FakeRapport()
    with served(rapport.app, bound=unix_socket(tmp_path / "rapport.sock")):
        code = run(["projections", "status", "--json", "--data", str(tmp_path)], refusing("must not be opened"))
    assert code == 0
    assert json.loads(capsys.readouterr().out)[0]["family"] == "loyalty"


def test_a_dead_socket_is_passed_over(tmp_path, capsys):
    unix_socket(tmp_path / "rapport.sock").close()
    rapport = FakeRapport()
    assert run(["projections", "status", "--json", "--data", str(tmp_path)], rapport.composition()) == 0
    assert json.loads(capsys.readouterr().out)[0]["head"] == 0


def test_a_folder_that_another_process_holds_ends_with_exit_code_3_and_the_reason(tmp_path, capsys):
    code = run(["verify", "--json", "--data", str(tmp_path)], refusing("process 4711 writes this store"))
    out, err = capsys.readouterr()
    assert (code, out) == (3, "")
    assert err == f"rapport: {tmp_path} cannot be opened: process 4711 writes this store\n"


def test_a_query_does_not_create_the_folder_it_asks(tmp_path, capsys):
    code = run(["analytics", "base", "--data", "typo"], FakeRapport().composition())
    assert code == 2
    assert capsys.readouterr().err == "rapport: --data: there is no folder typo; `rapport up` or an import creates it\n"
    assert not (tmp_path / "typo").exists()


def test_the_environment_names_the_folder_and_the_command_line_wins(tmp_path, monkeypatch, capsys):
    rapport = FakeRapport()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("RAPPORT_DATA", "here")
    assert run(["verify"], rapport.composition()) == 0
    monkeypatch.setenv("RAPPORT_URL", "http://127.0.0.1:1")
    assert run(["verify", "--data", "here"], rapport.composition()) == 0
    assert run(["verify"], rapport.composition()) == 3
    assert capsys.readouterr().err.startswith("rapport: http://127.0.0.1:1 does not answer: ")


def test_a_url_is_asked_with_the_token(monkeypatch, capsys):
    seen = []
    rapport = FakeRapport()

    async def app(scope, receive, send):
        seen.append(dict(scope["headers"]).get(b"authorization"))
        await rapport.app(scope, receive, send)

    bound = socket.create_server(("127.0.0.1", 0))
    with served(app, bound=bound):
        monkeypatch.setenv("RAPPORT_URL", f"http://127.0.0.1:{bound.getsockname()[1]}")
        monkeypatch.setenv("RAPPORT_TOKEN", "s3cret")
        assert run(["projections", "status", "--json"], refusing("must not be opened")) == 0
    assert seen == [b"Bearer s3cret"]
    assert json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("status", "body", "code", "line"),
    [
        (422, {"detail": "2 fields", "errors": [{"field": "name", "message": "is taken"}]}, 2, "name: is taken"),
        (409, {"detail": "name: is taken already"}, 2, "name: is taken already"),
        (404, {"title": "Not Found"}, 2, "Not Found"),
        (401, {"detail": "Sign in."}, 2, "Sign in. (RAPPORT_TOKEN is missing, wrong or lacks the role)"),
        (503, {"detail": "The store is\nstarting."}, 3, "The store is starting."),
        (504, {"title": "Too far behind"}, 3, "Too far behind"),
        (500, {}, 3, "Internal Server Error"),
    ],
)
def test_a_problem_is_one_line_and_an_exit_code(tmp_path, capsys, status, body, code, line):
    rapport = FakeRapport()
    rapport.problem = (status, body)
    assert run(["staff", "add", "ada", "--role", "analyst", "--data", str(tmp_path)], rapport.composition()) == code
    assert capsys.readouterr() == ("", f"rapport: {line}\n")


def test_an_app_that_breaks_is_one_line_too(tmp_path, capsys):
    @asynccontextmanager
    async def open_app(data):
        async def app(_scope, _receive, _send):
            raise ZeroDivisionError(str(data))

        yield app

    assert run(["verify", "--data", str(tmp_path)], Composition(open_app, *[None] * 7)) == 3
    assert "does not answer: the app failed: ZeroDivisionError" in capsys.readouterr().err


def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one(tmp_path, capsys):
    @asynccontextmanager
    async def open_app(data):
        async def app(_scope, _receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b'{"position": 1}\n', "more_body": True})
            raise ZeroDivisionError(str(data))

        yield app

    code = run(["events", "show", "--json", "--data", str(tmp_path)], Composition(open_app, *[None] * 7))
    assert code == 3
    assert capsys.readouterr().out == '{"position": 1}\n'


@pytest.mark.parametrize("words", [["analytics", "base", "--json"], ["events", "show", "--json"]])
def test_an_answer_that_is_not_ours_is_said_to_be_so(tmp_path, capsys, words):
    @asynccontextmanager
    async def open_app(_data):
        async def app(_scope, _receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"<html>Welcome to our shop"})

        yield app

    assert run([*words, "--data", str(tmp_path)], Composition(open_app, *[None] * 7)) == 3
    assert capsys.readouterr() == ("", f"rapport: {tmp_path} does not answer as Rapport does\n")


@pytest.mark.parametrize(("url", "code"), [("http://[::1", 2), ("ftp://localhost", 3), ("nonsense", 3)])
def test_an_address_that_is_none_is_named(monkeypatch, capsys, url, code):
    monkeypatch.setenv("RAPPORT_URL", url)
    assert run(["verify"], refusing("must not be opened")) == code
    assert url in capsys.readouterr().err
