import gzip
from zoneinfo import ZoneInfo

import pytest

from services.commands.formats.online_retail import ONLINE_RETAIL
from services.commands.formats.orders import Money, OrderFile
from services.commands.formats.records import BadFile

HEADER = "invoice,stock_code,description,quantity,invoice_date,price,customer_id,country"
LONDON = Money(ZoneInfo("Europe/London"), "GBP", 2)


def line(  # a valid line of which a test spoils one thing
    invoice="489434", code="85048", text="LIGHTS", count="12", at="2009-12-01T07:45:00", price="6.95", who="13085"
):
    return f"{invoice},{code},{text},{count},{at},{price},{who},United Kingdom"


def write(tmp_path, *lines, header=HEADER, name="retail.csv"):
    path = tmp_path / name
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def read(path, money=LONDON):
    with OrderFile(path, ONLINE_RETAIL, money) as file:
        rejects = [reject for some in file.stage() for reject in some]
        batches = list(file.batches())
        rejects += [reject for batch in batches for reject in batch.rejects]
        orders = [order for batch in batches for order in batch.orders]
        notes = [note for batch in batches for note in batch.credit_notes]
        return orders, notes, rejects, [customer for some in file.customers() for customer in some]


def reasons(path):
    return [(reject.row, reject.reason) for reject in read(path)[2]]


def test_an_order_has_all_its_lines_wherever_they_stand_and_the_time_of_the_first(tmp_path):
    path = write(
        tmp_path,
        line("2", code="A", at="2010-07-01T10:00:00"),
        line("1", code="B", at="2010-01-01T10:00:00"),
        line("2", code="C", at="2010-07-01T11:00:00"),
    )
    orders, _, rejects, _ = read(path)
    assert [(order.number, order.moment, order.rows) for order in orders] == [
        ("2", "2010-07-01T09:00:00+00:00", [2, 4]),
        ("1", "2010-01-01T10:00:00+00:00", [3]),
    ]
    assert [one["code"] for one in orders[0].lines] == ["A", "C"]
    assert rejects == []


def test_exact_duplicate_lines_of_one_invoice_stay(tmp_path):
    orders, _, _, _ = read(write(tmp_path, line(), line()))
    assert len(orders[0].lines) == 2
    assert orders[0].lines[0] == orders[0].lines[1]


@pytest.mark.parametrize(
    ("count", "price", "cents"),
    [("12", "6.95", 8340), ("1", "0.001", 0), ("5", "0.001", 1), ("3", "0.105", 32), ("7", "1.0050", 704)],
)
def test_an_amount_is_rounded_half_up_once_per_line_and_the_price_stays_a_decimal(tmp_path, count, price, cents):
    [order], _, _, _ = read(write(tmp_path, line(count=count, price=price)))
    assert order.lines[0]["amount_minor"] == cents
    assert order.lines[0]["unit_price"] == price


def test_a_currency_without_decimals_has_no_hundredths(tmp_path):
    [order], _, _, _ = read(write(tmp_path, line(count="2", price="150.5")), Money(ZoneInfo("Asia/Tokyo"), "JPY", 0))
    assert order.lines[0]["amount_minor"] == 301
    assert order.moment == "2009-11-30T22:45:00+00:00"


def test_a_credit_note_comes_out_positive_and_apart_from_the_orders(tmp_path):
    orders, [note], rejects, customers = read(write(tmp_path, line("C489449", count="-12", price="2.95")))
    assert orders == rejects == []
    assert (note.number, note.credit, customers) == ("C489449", True, ["13085"])
    assert (note.lines[0]["quantity"], note.lines[0]["amount_minor"]) == (12, 3540)


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        ({"who": ""}, "customer_id: no customer"),
        ({"invoice": "A506401", "price": "-53594.36"}, "invoice: A506401 is a bad-debt adjustment, not an order"),
        ({"price": "0"}, "price: 0 is not above 0"),
        ({"price": "-1"}, "price: -1 is not above 0"),
        ({"price": "NaN"}, "price: 'NaN' is not a number"),
        ({"price": "1e3"}, "price: '1e3' is not a number"),
        ({"price": "999999999999", "count": "99999"}, "price: the amount 99998999999900001 is too large"),
        ({"count": "0"}, "quantity: 0 is not above 0"),
        ({"count": "-3"}, "quantity: -3 is not above 0"),
        ({"count": "1.5"}, "quantity: '1.5' is not a whole number"),
        ({"count": "١٢"}, "quantity: '١٢' is not a whole number"),
        ({"invoice": "C1", "count": "3"}, "quantity: 3 is not below 0 on a credit note"),
        ({"at": "12/1/09 7:45"}, "invoice_date: '12/1/09 7:45' is not a date and time (YYYY-MM-DDTHH:MM:SS)"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "invoice_date: '0001-01-01T00:00:00+14:00' is out of range"),
        ({"invoice": ""}, "invoice: empty"),
        ({"code": " "}, "stock_code: empty"),
        ({"code": "x" * 65}, f"stock_code: '{'x' * 39}…' string should have at most 64 characters"),
        ({"text": "a\x00b"}, "description: 'a\\x00b' must not hold control or invisible characters"),
    ],
)
def test_a_line_that_cannot_be_imported_names_its_row_and_the_reason(tmp_path, spoiled, reason):
    path = write(tmp_path, line("1"), line(**spoiled))
    assert reasons(path) == [(3, reason)]
    assert len(read(path)[0]) == 1


def test_the_other_lines_of_a_rejected_line_are_imported(tmp_path):
    [order], _, [reject], _ = read(write(tmp_path, line(), line(price="0"), line(code="B")))
    assert order.rows == [2, 4]
    assert reject.cells[5] == "0"


def test_a_line_of_another_customer_does_not_join_the_order(tmp_path):
    path = write(tmp_path, line(who="1"), line(who="2"))
    assert reasons(path) == [(3, "customer_id: order 489434 is of customer 1")]
    assert read(path)[3] == ["1"]


def test_an_order_of_more_lines_than_an_event_can_hold_is_rejected_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("services.commands.formats.staging.MAX_LINES", 2)
    path = write(tmp_path, *[line("big")] * 3, line("small"))
    assert reasons(path) == [(row, "order big has more than 2 lines") for row in (2, 3, 4)]


@pytest.mark.parametrize("written", ["13085", "13085.0", " 13085 ", "0013085"])
def test_a_customer_id_is_the_same_however_a_spreadsheet_wrote_it(tmp_path, written):
    assert read(write(tmp_path, line(who=written)))[3] == ["13085"]


def test_a_customer_appears_once_also_when_only_credited(tmp_path):
    path = write(tmp_path, line("1", who="7"), line("2", who="7"), line("C3", who="8", count="-1"))
    assert sorted(read(path)[3]) == ["7", "8"]


def test_columns_are_found_by_name_in_any_order_and_others_are_ignored(tmp_path):
    path = write(
        tmp_path,
        "x,GB,13085,6.95,2009-12-01 07:45,12,LIGHTS,85048,1",
        header="Extra,Country,Customer ID,Price,InvoiceDate,Quantity,Description,StockCode,Invoice",
    )
    [order], _, rejects, _ = read(path)
    assert (order.number, order.lines[0]["code"], rejects) == ("1", "85048", [])


def test_a_missing_column_refuses_the_file_before_the_first_row(tmp_path):
    with pytest.raises(BadFile, match="missing columns price, customer_id; the header has: invoice, stock_code"):
        read(write(tmp_path, "\xff", header="invoice,stock_code,description,quantity,invoice_date,country"))


def test_a_column_that_is_there_twice_refuses_the_file(tmp_path):
    with pytest.raises(BadFile, match="more than one column price"):
        read(write(tmp_path, header=f"{HEADER},Price"))


def test_an_empty_file_is_refused_for_its_missing_columns(tmp_path):
    path = tmp_path / "empty.csv"
    path.touch()
    with pytest.raises(BadFile, match=r"missing columns invoice, .*; the header has: nothing"):
        read(path)


def test_a_short_row_is_rejected_and_an_empty_one_does_not_count(tmp_path):
    path = write(tmp_path, "1,2,3", "", line())
    assert reasons(path) == [(2, "has 3 cells, the header has 8")]
    assert read(path)[0][0].rows == [3]


def test_a_line_break_inside_quotes_is_part_of_one_row(tmp_path):
    assert reasons(write(tmp_path, line(text='"two\nlines"'), line(price="0")))[-1] == (3, "price: 0 is not above 0")


def test_a_cell_that_no_cell_can_be_refuses_the_file(tmp_path):
    with pytest.raises(BadFile, match="row 3 is not CSV: field larger than field limit"):
        read(write(tmp_path, line(), line(text="x" * 200_000)))


def test_text_is_unicode_in_one_form_with_or_without_a_byte_order_mark(tmp_path):
    path = tmp_path / "bom.csv"
    row = line(text="Cafe\N{COMBINING ACUTE ACCENT}")
    path.write_text(f"{HEADER}\n{row}\n", encoding="utf-8-sig")
    assert read(path)[0][0].lines[0]["description"] == "Caf\N{LATIN SMALL LETTER E WITH ACUTE}"


def test_another_charset_refuses_the_file_and_names_the_row(tmp_path):
    path = tmp_path / "latin1.csv"
    path.write_bytes(f"{HEADER}\n{line()}\n{line(text='Café')}\n".encode("latin-1"))
    with pytest.raises(BadFile, match=r"row 3 is not UTF-8 \(byte 0xe9\); save the file as UTF-8"):
        read(path)


def test_a_packed_file_reads_like_a_plain_one(tmp_path):
    plain = write(tmp_path, line(), line("C2", count="-1"))
    packed = tmp_path / "retail.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read(packed) == read(plain)


def test_a_cut_off_packed_file_is_refused(tmp_path):
    packed = tmp_path / "cut.csv.gz"
    packed.write_bytes(gzip.compress(f"{HEADER}\n{line()}\n".encode())[:-12])
    with pytest.raises(BadFile, match="cannot be unpacked"):
        read(packed)


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path):
    packed = tmp_path / "bomb.csv.gz"
    packed.write_bytes(gzip.compress(f"{HEADER}\n".encode() + b"x" * 50_000_000))
    with pytest.raises(BadFile, match="line 2 is longer than 1,048,576 bytes"):
        read(packed)


def test_what_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("services.commands.formats.source.MAX_BYTES", 1_000)
    with pytest.raises(BadFile, match="unpacks to more than 1,000 bytes"):
        read(write(tmp_path, *[line()] * 20))
    monkeypatch.undo()
    monkeypatch.setattr("services.commands.formats.table.MAX_ROWS", 10)
    with pytest.raises(BadFile, match="has more than 10 rows"):
        read(write(tmp_path, *[line()] * 11))


def test_batches_stay_small_in_orders_and_in_lines(tmp_path, monkeypatch):
    monkeypatch.setattr("services.commands.formats.orders.BATCH_LINES", 50)
    path = write(tmp_path, *[line(str(n)) for n in range(450)], *[line("many")] * 60, line("last"))
    with OrderFile(path, ONLINE_RETAIL, LONDON) as file:
        list(file.stage())
        sizes = [(len(batch.orders), sum(len(order.lines) for order in batch.orders)) for batch in file.batches()]
    assert sizes == [(50, 50)] * 9 + [(1, 60), (1, 1)]


@pytest.mark.data
@pytest.mark.long
def test_the_first_year_of_online_retail_comes_out_exactly(dataset):
    lines = gross = credit = orders = notes = rejected = rows = 0
    buyers, without_customer = set(), 0
    with OrderFile(dataset("online_retail_2009_2010.csv.gz"), ONLINE_RETAIL, LONDON) as file:
        for rejects in file.stage():
            rejected += len(rejects)
            without_customer += sum(reject.reason == "customer_id: no customer" for reject in rejects)
        for batch in file.batches():
            orders += len(batch.orders)
            notes += len(batch.credit_notes)
            buyers |= {order.customer for order in batch.orders}
            lines += sum(len(order.lines) for order in batch.orders)
            gross += sum(one["amount_minor"] for order in batch.orders for one in order.lines)
            credit += sum(one["amount_minor"] for note in batch.credit_notes for one in note.lines)
            rows += sum(len(order.rows) for order in [*batch.orders, *batch.credit_notes])
    assert (rows + rejected, rejected, without_customer) == (525_461, 107_958, 107_927)
    assert (lines, orders, len(buyers), notes) == (407_664, 19_213, 4_312, 4_372)
    assert abs(gross - 883_200_326) <= 100
    assert abs(credit - 48_379_470) <= 100
