from zoneinfo import ZoneInfo

import pytest

from services.commands.formats.elog import ELOG
from services.commands.formats.orders import Money, OrderFile
from services.commands.formats.records import BadFile

UTC = Money(ZoneInfo("UTC"), "USD", 2)


def read(path, money=UTC):
    with OrderFile(path, ELOG, money) as file:
        rejects = [(reject.row, reject.reason) for some in file.stage() for reject in some]
        orders = [order for batch in file.batches() for order in batch.orders]
        return orders, rejects


def write(tmp_path, *rows, header="customer,date"):
    path = tmp_path / "log.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_the_nth_row_of_a_customer_on_a_date_is_the_order(tmp_path):
    orders, rejects = read(write(tmp_path, "007,2006-01-01", "8,2006-01-01", "7,2006-12-19", "7,2006-01-01"))
    assert [(order.number, order.customer) for order in orders] == [
        ("7/2006-01-01/1", "7"),
        ("8/2006-01-01/1", "8"),
        ("7/2006-12-19/1", "7"),
        ("7/2006-01-01/2", "7"),
    ]
    assert rejects == []


def test_a_purchase_of_which_only_the_day_is_known_is_one_piece_for_nothing(tmp_path):
    [order], _ = read(write(tmp_path, "1,2006-01-01"))
    assert order.lines == [
        {"code": "purchase", "description": None, "quantity": 1, "unit_price": None, "amount_minor": 0}
    ]


def test_a_day_begins_at_midnight_of_the_zone(tmp_path):
    path = write(tmp_path, "1,2006-07-01")
    assert read(path)[0][0].moment == "2006-07-01T00:00:00+00:00"
    assert read(path, Money(ZoneInfo("Europe/Vienna"), "EUR", 2))[0][0].moment == "2006-06-30T22:00:00+00:00"


@pytest.mark.parametrize(
    ("header", "row"), [("cust,date", "1,2006-01-01"), ("Date,sales,Customer", "2006-01-01,5.00,1")]
)
def test_a_log_names_its_customers_in_two_ways_and_other_columns_are_ignored(tmp_path, header, row):
    orders, rejects = read(write(tmp_path, row, header=header))
    assert ([order.number for order in orders], rejects) == (["1/2006-01-01/1"], [])


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("customer_id,date", "missing column customer; the header has: customer_id, date"),
        ("cust,customer,date", "more than one column customer"),
    ],
)
def test_a_log_that_leaves_open_who_bought_is_refused(tmp_path, header, reason):
    with pytest.raises(BadFile, match=reason):
        read(write(tmp_path, header=header))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",2006-01-01", "customer: no customer"),
        ("1,2006-02-30", "date: '2006-02-30' is not a date (YYYY-MM-DD)"),
        ("1,", "date: '' is not a date (YYYY-MM-DD)"),
        ("1", "has 1 cells, the header has 2"),
    ],
)
def test_a_row_that_cannot_be_imported_says_why(tmp_path, row, reason):
    orders, rejects = read(write(tmp_path, row, "2,2006-01-01"))
    assert ([order.customer for order in orders], rejects) == (["2"], [(2, reason)])


@pytest.mark.data
def test_the_grocery_log_comes_out_whole(dataset):
    orders, rejects = read(dataset("btydplus_grocery_elog.csv.gz"))
    assert rejects == []
    assert (len(orders), len({order.customer for order in orders})) == (10_483, 1_525)
    moments = [order.moment[:10] for order in orders]
    assert (min(moments), max(moments)) == ("2006-01-01", "2007-12-30")
