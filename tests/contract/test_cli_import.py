import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fake_rapport import FakeRapport

from services.commands.app import run

HEADER = "invoice,stock_code,description,quantity,invoice_date,price,customer_id,country"


@pytest.fixture
def rapport(tmp_path, monkeypatch):
    for name in ("RAPPORT_URL", "RAPPORT_TOKEN", "RAPPORT_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return FakeRapport()


@pytest.fixture
def rapport_run(rapport, capsys):
    def run_it(*arguments):
        code = run([str(argument) for argument in arguments], rapport.composition())
        out, err = capsys.readouterr()
        return code, out, err

    return run_it


KILLED_WHILE_IT_SENDS = """
import sys
sys.path.insert(0, sys.argv[1])
from fake_rapport import FakeRapport
from services.commands.app import run
fake = FakeRapport()
fake.deadly = True
run(["import", "orders", sys.argv[2], "--format", "online-retail"], fake.composition())
"""


def line(invoice="1", count="2", price="1.50", who="7", code="A"):
    return f"{invoice},{code},LAMP,{count},2010-01-04T10:00:00,{price},{who},United Kingdom"


def write(tmp_path, *lines, header=HEADER, name="retail.csv"):
    path = tmp_path / name
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def imported(rapport_run, *arguments):
    code, out, err = rapport_run("import", *arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_an_import_counts_rows_of_the_file_and_events_of_this_run(rapport_run, tmp_path):
    path = write(tmp_path, line(), line(code="B"), line("2", who="8"), line("C3", count="-1"), line("4", who=""))
    done = imported(rapport_run, "orders", path, "--format", "online-retail")
    assert done.pop("seconds") >= 0
    assert done == {
        "rows": 5,
        "accepted": 4,
        "rejected": 1,
        "unchanged": 0,
        "events": 5,
        "rejects_file": str(tmp_path / "retail.rejects.csv"),
    }


def test_the_customers_come_first_and_are_known_by_their_alias_only(rapport_run, rapport, tmp_path):
    imported(rapport_run, "orders", write(tmp_path, line()), "--format", "online-retail", "--source", "shop")
    posts = [(path, body) for method, path, _, body in rapport.requests if method == "POST"]
    alias = {"outside_id": "7", "kind": None, "name": None, "country": None, "email": None, "phone": None}
    assert posts[0] == ("/contacts/api/v1/customers/import", {"source": "shop", "customers": [alias]})
    order = {
        "number": "1",
        "customer": "7",
        "placed_at": "2010-01-04T10:00:00+00:00",
        "lines": [{"code": "A", "description": "LAMP", "quantity": 2, "unit_price": "1.50", "amount_minor": 300}],
    }
    body = {"source": "shop", "timezone": "Europe/London", "currency": "GBP", "orders": [order], "credit_notes": []}
    assert posts[1:] == [("/portal/api/v1/orders/import", body)]


def test_a_credit_note_is_sent_with_the_day_it_was_issued(rapport_run, rapport, tmp_path):
    imported(rapport_run, "orders", write(tmp_path, line("C1", count="-2")), "--format", "online-retail")
    [sent] = [body for _, path, _, body in rapport.requests if path == "/portal/api/v1/orders/import"]
    assert sent["orders"] == []
    assert [(note["issued_at"], note["lines"][0]["amount_minor"]) for note in sent["credit_notes"]] == [
        ("2010-01-04T10:00:00+00:00", 300)
    ]


def test_the_same_file_twice_is_unchanged_and_makes_no_event(rapport_run, tmp_path):
    path = write(tmp_path, line(), line(code="B"), line("2"))
    imported(rapport_run, "orders", path, "--format", "online-retail")
    again = imported(rapport_run, "orders", path, "--format", "online-retail")
    assert {name: again[name] for name in ("rows", "accepted", "rejected", "unchanged", "events", "rejects_file")} == {
        "rows": 3,
        "accepted": 0,
        "rejected": 0,
        "unchanged": 3,
        "events": 0,
        "rejects_file": None,
    }
    assert not (tmp_path / "retail.rejects.csv").exists()


def test_rejected_rows_keep_their_cells_and_get_a_reason(rapport_run, rapport, tmp_path):
    rapport.refuse = "online-retail/orders/2"
    path = write(tmp_path, line(price="0"), line("2"), line("3"), line("2", code="B"))
    done = imported(rapport_run, "orders", path, "--format", "online-retail", "--rejects", tmp_path / "bad.csv")
    assert (done["accepted"], done["rejected"], done["rejects_file"]) == (1, 3, str(tmp_path / "bad.csv"))
    with (tmp_path / "bad.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["row"], row["reason"], row["stock_code"]) for row in rows] == [
        ("2", "price: 0 is not above 0", "A"),
        ("3", "no, not this one", "A"),
        ("5", "no, not this one", "B"),
    ]


def test_a_mended_file_of_rejects_can_be_imported(rapport_run, tmp_path):
    path = write(tmp_path, line(), line("2", price="0"))
    done = imported(rapport_run, "orders", path, "--format", "online-retail")
    mended = tmp_path / "mended.csv"
    mended.write_text((tmp_path / "retail.rejects.csv").read_text().replace(",0,7,", ",1.00,7,"))
    assert done["rejected"] == 1
    assert imported(rapport_run, "orders", mended, "--format", "online-retail")["accepted"] == 1


def test_one_order_that_the_api_does_not_take_does_not_hold_up_the_others(rapport_run, rapport, tmp_path):
    rapport.invalid = "17"
    path = write(tmp_path, *[line(str(number)) for number in range(100)])
    done = imported(rapport_run, "orders", path, "--format", "online-retail")
    assert (done["accepted"], done["rejected"]) == (99, 1)
    with (tmp_path / "retail.rejects.csv").open(newline="") as file:
        assert [row["reason"] for row in csv.DictReader(file)] == ["lines[0].code: is too odd"]


def test_large_files_go_in_requests_of_at_most_two_hundred_orders(rapport_run, rapport, tmp_path):
    path = write(tmp_path, *[line(str(number), who=str(number % 50)) for number in range(1_000)])
    done = imported(rapport_run, "orders", path, "--format", "online-retail")
    assert (done["accepted"], done["events"], rapport.most_orders_at_once) == (1_000, 1_050, 200)


def test_an_import_returns_when_the_projections_have_its_last_event(rapport_run, rapport, tmp_path):
    imported(rapport_run, "orders", write(tmp_path, *map(line, "12345")), "--format", "online-retail")
    asked = [query for _, path, query, _ in rapport.requests if path == "/api/v1/projections"]
    assert rapport.lag == 0
    assert {"after": f"token-{rapport.position}", "wait": "2"} in asked


def test_projections_that_do_not_move_end_the_wait_with_exit_code_3(rapport_run, rapport, tmp_path, monkeypatch):
    monkeypatch.setattr("services.commands.catching_up.STUCK_SECONDS", 0.0)
    rapport.lag, rapport.stuck = 1, True
    code, out, err = rapport_run("import", "orders", write(tmp_path, line()), "--format", "online-retail", "--json")
    assert (code, out) == (3, "")
    assert err.startswith("rapport: everything is stored, but projections do not move: loyalty at ")


def test_cdnow_rows_become_orders_in_dollars(rapport_run, rapport, tmp_path):
    path = write(tmp_path, "4,0001,1997-01-01,2,29.33", header="master_id,customer_id,date,quantity,amount")
    done = imported(rapport_run, "orders", path, "--format", "cdnow", "--timezone", "America/New_York")
    [sent] = [body for _, path, _, body in rapport.requests if path == "/portal/api/v1/orders/import"]
    assert (done["accepted"], sent["source"], sent["currency"], sent["timezone"]) == (
        1,
        "cdnow",
        "USD",
        "America/New_York",
    )
    assert sent["orders"][0]["placed_at"] == "1997-01-01T05:00:00+00:00"


def test_customers_are_imported_with_what_is_known_of_them(rapport_run, rapport, tmp_path):
    path = write(tmp_path, "a,robot,", "b,,Ada", "c,household,Byron", header="outside_id,kind,name", name="people.csv")
    done = imported(rapport_run, "customers", path, "--format", "csv", "--source", "crm")
    assert (done["rows"], done["accepted"], done["rejected"], done["events"]) == (3, 2, 1, 2)
    assert rapport.known["crm:c"]["kind"] == "household"
    assert (tmp_path / "people.rejects.csv").read_text().splitlines()[1].startswith('a,robot,,2,"kind: ')


def test_products_are_imported_with_their_categories(rapport_run, rapport, tmp_path):
    path = write(tmp_path, "MUG,Red mug,Cups", ",Nothing,", header="code,name,category", name="products.csv")
    done = imported(rapport_run, "products", path, "--format", "csv", "--source", "till")
    assert (done["rows"], done["accepted"], done["rejected"], done["events"]) == (2, 1, 1, 2)
    [sent] = [body for _, path, _, body in rapport.requests if path == "/portal/api/v1/products/import"]
    assert sent == {"source": "till", "products": [{"code": "MUG", "name": "Red mug", "category": "Cups"}]}


def test_cards_are_imported_as_customers(rapport_run, rapport, tmp_path):
    path = tmp_path / "cards.vcf"
    path.write_text("BEGIN:VCARD\nVERSION:4.0\nUID:u1\nFN:Ada\nEND:VCARD\n")
    assert imported(rapport_run, "customers", path, "--format", "vcard")["accepted"] == 1
    assert rapport.known["vcard:u1"]["name"] == "Ada"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["orders", "none.csv", "--format", "cdnow"], "rapport: none.csv: No such file or directory"),
        (["orders", "retail.csv", "--format", "cdnow"], "rapport: retail.csv: missing columns date, amount; "),
        (["orders", "retail.csv"], "rapport: Missing option '--format'."),
        (["orders", "retail.csv", "--format", "tape"], "rapport: Invalid value for '--format': 'tape' is not one of"),
        (
            ["orders", "retail.csv", "--format", "online-retail", "--timezone", "Mars"],
            "rapport: Invalid value for '--timezone': 'Mars' is not a time zone, such as Europe/London",
        ),
        (
            ["orders", "retail.csv", "--format", "online-retail", "--currency", "gbp"],
            "rapport: Invalid value for '--currency': 'gbp' is not a currency of ISO 4217, such as GBP",
        ),
        (
            ["orders", "retail.csv", "--format", "online-retail", "--source", "A:B"],
            "rapport: Invalid value for '--source': 'A:B' is not a source name",
        ),
        (
            ["orders", "retail.csv", "--format", "online-retail", "--rejects", "retail.csv"],
            "rapport: --rejects: ",
        ),
        (
            ["orders", "retail.csv", "--format", "online-retail", "--rejects", "no/such/folder.csv"],
            "rapport: --rejects: ",
        ),
    ],
)
def test_bad_input_is_one_line_and_sends_nothing(rapport_run, rapport, tmp_path, arguments, reason):
    write(tmp_path, line(price="0"))
    code, out, err = rapport_run("import", *arguments, "--json")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(reason)
    assert [request for request in rapport.requests if request[0] == "POST"] == []


def test_a_file_in_another_charset_is_refused_before_anything_is_sent(rapport_run, rapport, tmp_path):
    (tmp_path / "latin.csv").write_bytes(f"{HEADER}\n{line()}\n".encode() + b"\xe9\n")
    code, _, err = rapport_run("import", "orders", "latin.csv", "--format", "online-retail")
    assert (code, err) == (2, "rapport: latin.csv: row 3 is not UTF-8 (byte 0xe9); save the file as UTF-8\n")
    assert rapport.requests == []


def test_progress_goes_to_stderr_with_rate_and_time_left(rapport_run, tmp_path):
    path = write(tmp_path, line(), line("2"))
    code, out, err = rapport_run("import", "orders", path, "--format", "online-retail", "--json", "--progress")
    assert code == 0
    assert json.loads(out)["accepted"] == 2
    assert [text.split(":")[0] for text in err.splitlines()] == ["reading", "customers", "orders", "projections"]
    assert "orders: 2 orders of 2 orders, " in err
    assert err.count("/s, ") == 4


def test_people_get_a_table(rapport_run, tmp_path):
    code, out, _ = rapport_run("import", "orders", write(tmp_path, line()), "--format", "online-retail")
    assert code == 0
    assert "Imported" in out
    assert "accepted" in out


def test_a_killed_import_leaves_nothing_behind_that_hinders_the_next(tmp_path):
    path = write(tmp_path, *[line(str(number)) for number in range(20_000)])
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch), "SQLITE_TMPDIR": str(scratch)}
    command = [sys.executable, "-c", KILLED_WHILE_IT_SENDS, Path(__file__).parent, path]
    done = subprocess.run(command, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(scratch.iterdir()) == []
