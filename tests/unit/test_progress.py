import io

import pytest

from services.commands.progress import reporting


class Terminal(io.StringIO):
    def isatty(self):
        return True


def work(wanted):
    with reporting(wanted) as report:
        report.phase("reading", 2_000, "bytes")
        report.at(1_000)
        report.phase("orders", 10, "orders")
        report.at(10)


@pytest.mark.parametrize("wanted", [None, True])
def test_a_terminal_shows_a_bar_for_each_piece_of_work(monkeypatch, wanted):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    work(wanted)
    assert "1.0 kB of 2.0 kB" in screen.getvalue()
    assert "10 orders of 10 orders" in screen.getvalue()


def test_a_pipe_shows_nothing_unless_asked(capsys):
    work(None)
    assert capsys.readouterr() == ("", "")
    work(wanted=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(", ")[0] for line in err.splitlines()] == [
        "reading: 1.0 kB of 2.0 kB",
        "orders: 10 orders of 10 orders",
    ]


def test_nothing_is_shown_when_it_is_not_wanted(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    work(wanted=False)
    assert screen.getvalue() == ""


def test_lines_come_now_and_then_while_the_work_goes_on(monkeypatch, capsys):
    monkeypatch.setattr("services.commands.progress.LINE_SECONDS", 0.0)
    with reporting(wanted=True) as report:
        report.phase("orders", 2)
        report.at(1)
        report.at(2, total=4)
    assert [line.split(",")[0] for line in capsys.readouterr().err.splitlines()] == [
        "orders: 1 of 2",
        "orders: 2 of 4",
        "orders: 2 of 4",
    ]
